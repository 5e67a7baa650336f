package main

import (
	"fmt"
	"strconv"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/spec/model"
)

// goType returns t as Go in the package of family f (nil: in any other package).
func goType(t model.Type, f *model.Family) string {
	switch t.Kind {
	case event.Bool:
		return "bool"
	case event.Uint:
		return "uint" + strconv.Itoa(int(t.Bits))
	case event.Int, event.Time, event.Size:
		return "int64"
	case event.Float:
		return "float64"
	case event.String:
		return "string"
	case event.Bytes:
		return "[]byte"
	case event.IP:
		return "netip.Addr"
	case event.Endpoint:
		return "netip.AddrPort"
	case event.Duration:
		return "time.Duration"
	case event.Enum:
		return qualify(t.Enum.Family, f, goName(t.Enum.Name))
	case event.Strings:
		return "[]string"
	case event.ObjectRef:
		return qualify(t.Object.Family, f, goName(t.Object.Name))
	default:
		return "any"
	}
}

// goPackage returns the name of the package that a family's Go lives in.
func goPackage(f *model.Family) string { return f.Name + "ev" }

// qualify puts the owner's package before name unless the code stands in it.
func qualify(owner, here *model.Family, name string) string {
	if owner == here {
		return name
	}
	return goPackage(owner) + "." + name
}

// nilable reports whether Go's nil stands for an absent value of t.
func nilable(t model.Type) bool {
	switch t.Kind {
	case event.ObjectRef, event.Plain, event.Handler:
		return true
	}
	return false
}

// goResult returns the result list of a getter or pure method with that result.
func goResult(t model.Type, optional bool, f *model.Family) string {
	if optional && !nilable(t) {
		return "(" + goType(t, f) + ", bool)"
	}
	return goType(t, f)
}

// goEventType returns t as event.Type literal in the package of family f.
func goEventType(t model.Type, f *model.Family) string {
	kind := "event." + kindNames[t.Kind]
	switch t.Kind {
	case event.Uint, event.Int:
		return fmt.Sprintf("event.Type{Kind: %s, Bits: %d}", kind, t.Bits)
	case event.Enum:
		return fmt.Sprintf("event.Type{Kind: %s, Names: %s()}", kind, qualify(t.Enum.Family, f, goName(t.Enum.Name)+"Names"))
	case event.ObjectRef:
		return fmt.Sprintf("event.Type{Kind: %s, Object: %q}", kind, t.Object.Family.Name+"."+t.Object.Name)
	default:
		return fmt.Sprintf("event.Type{Kind: %s}", kind)
	}
}

// kindNames are the constants of package event by value.
var kindNames = map[event.Kind]string{
	event.Bool: "Bool", event.Uint: "Uint", event.Int: "Int", event.Float: "Float", event.String: "String",
	event.Bytes: "Bytes", event.IP: "IP", event.Endpoint: "Endpoint", event.Time: "Time", event.Duration: "Duration",
	event.Size: "Size", event.Enum: "Enum", event.Strings: "Strings", event.ObjectRef: "ObjectRef", event.Plain: "Plain",
	event.Record: "Record", event.Handler: "Handler", event.Any: "Any",
}

// point is one hook point of an event.
type point struct {
	id    event.PointID
	phase string // empty where the event has no phases
	name  string // flow.rexmit.rcv
	doc   string
	goVar string // OnRexmitRcv
}

// points returns the event's hook points, the default one first.
func points(e *model.Event) []point {
	if len(e.Phases) == 0 {
		return []point{{id: e.FirstPoint, name: e.Full(), doc: e.When, goVar: "On" + goName(e.Name)}}
	}
	var list []point
	for i, p := range e.Phases {
		list = append(list, point{
			id: e.FirstPoint + event.PointID(i), phase: p.Name, name: e.Full() + "." + p.Name, doc: p.Doc,
			goVar: "On" + goName(e.Name) + goName(p.Name),
		})
	}
	return list
}

// remarks are what a comment adds to a field's doc: unit, validity, presence.
func remarks(f *model.Field) string {
	text := ""
	if f.Unit != "" {
		text += " In " + f.Unit + "."
	}
	if f.Valid != "" {
		text += " Valid: " + f.Valid + "."
	}
	return text
}
