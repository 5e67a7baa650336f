package engine

import (
	"fmt"

	"github.com/hookd/hookd/engine/event"
)

// bindNamed binds the handlers that a verdict names to what the event is about. One
// that cannot be bound is an error of the rule; the verdict holds all the same.
func (s *shard) bindNamed(o *outcome, en *entry, v event.Verdict) {
	args, ok := v.Args.(event.HandlerArgs)
	if !ok {
		return
	}
	for _, e := range s.bindAll(o.plan, en, subject(o.plan.info, o.event), args) {
		s.fail(o, en.rule, e)
	}
}

// bindAll returns what went wrong. It is told the plan alone, since what args may keep
// would no longer be on the stack.
func (s *shard) bindAll(p *pointPlan, en *entry, about event.Kept, args event.HandlerArgs) (wrong []*ScriptError) {
	if about == nil {
		return nil
	}
	at := &Attachment{Object: about, Type: p.info.Subject().Type.Object}
	call := &Call{Info: p.info, Where: p.where}
	call.Shard, call.Script, call.Rule, call.Gen, call.Point = s.Shard, en.rule.script.path, en.rule.decl.Name, s.gen.Number, p.where.Name
	args.EachHandler(func(point string, handler any) {
		h, ok := handler.(*Handler)
		if !ok {
			return
		}
		if err := s.Bind(call, at, p.info.Family+"."+point, h); err != nil {
			wrong = append(wrong, &ScriptError{Script: call.Script, Line: en.rule.decl.Line, Message: fmt.Sprintf("%s: %v", point, err)})
		}
	})
	return wrong
}
