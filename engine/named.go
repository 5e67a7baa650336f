package engine

import (
	"fmt"

	"github.com/hookd/hookd/engine/event"
)

// bindNamed binds the handlers that a verdict names to what the event is about. One
// that cannot be bound is an error of the rule; the verdict holds all the same.
func (s *shard) bindNamed(o *outcome, en *entry, v event.Verdict) {
	args, ok := v.Args.(event.HandlerArgs)
	about := subject(o.plan.info, o.event)
	if !ok || about == nil || o.decided {
		return
	}
	at := &Attachment{Object: about, Type: o.plan.info.Subject().Type.Object}
	call := &Call{Info: o.plan.info, Where: o.plan.where}
	call.Shard, call.Script, call.Rule, call.Gen, call.Point = s.Shard, en.rule.script.path, en.rule.decl.Name, s.gen.Number, o.plan.where.Name
	args.EachHandler(func(point string, handler any) {
		h, ok := handler.(*Handler)
		if !ok {
			return
		}
		if err := s.Bind(call, at, o.plan.info.Family+"."+point, h); err != nil {
			s.fail(o, en.rule, &ScriptError{Script: call.Script, Line: en.rule.decl.Line, Message: fmt.Sprintf("%s: %v", point, err)})
		}
	})
}
