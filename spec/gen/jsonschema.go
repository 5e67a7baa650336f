package main

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/spec/model"
)

// recordKey is one key of an event's record, as encoders write it.
type recordKey struct {
	name     string
	leaf     *model.Field
	optional bool
}

// recordKeys returns the keys of an event's record, in order: those of its
// arguments, then its own.
func recordKeys(e *model.Event) []recordKey {
	var list []recordKey
	for _, f := range e.ArgFields() {
		if f.Type.Kind != event.ObjectRef {
			continue
		}
		for _, k := range f.Type.Object.Record {
			list = append(list, recordKey{k.Name, k.Leaf(), f.Optional || k.Optional()})
		}
	}
	for _, k := range e.Record {
		list = append(list, recordKey{k.Name, k.Leaf(), k.Optional()})
	}
	return list
}

// object is a JSON object that keeps its order.
type object = []event.KV

// schemaFamily writes the JSON Schema of the records of one family's events.
func schemaFamily(o *outputs, f *model.Family) {
	if len(f.Events) == 0 {
		return
	}
	var refs []any
	var defs object
	for _, e := range f.Events {
		refs = append(refs, object{{Key: "$ref", Value: "#/$defs/" + e.Full()}})
		defs = append(defs, event.KV{Key: e.Full(), Value: schemaEvent(e)})
	}
	root := object{
		{Key: "$comment", Value: header},
		{Key: "$schema", Value: "https://json-schema.org/draft/2020-12/schema"},
		{Key: "$id", Value: "https://" + module + "/spec/reference/schema/" + f.Name + ".json"},
		{Key: "title", Value: "Records of the " + f.Name + " family"},
		{Key: "oneOf", Value: refs},
		{Key: "$defs", Value: defs},
	}
	var out bytes.Buffer
	if err := json.Indent(&out, event.AppendJSONFields(nil, root), "", "  "); err != nil {
		o.errs = append(o.errs, fmt.Errorf("gen: indent schema of %s: %w", f.Name, err))
		return
	}
	out.WriteByte('\n')
	o.files[referenceDir+"schema/"+f.Name+".json"] = out.Bytes()
}

func schemaEvent(e *model.Event) object {
	properties := object{
		{Key: "v", Value: object{{Key: "const", Value: 1.0}, {Key: "description", Value: "Version of the form of records."}}},
		{Key: "ts", Value: object{{Key: "type", Value: "number"}, {Key: "description", Value: "Event time, seconds since the epoch."}}},
		{Key: "event", Value: object{{Key: "const", Value: e.Full()}}},
	}
	required := []any{"v", "ts", "event"}
	if len(e.Phases) != 0 {
		var phases []any
		for _, p := range e.Phases {
			phases = append(phases, p.Name)
		}
		properties = append(properties, event.KV{Key: "phase", Value: object{{Key: "enum", Value: phases}}})
		required = append(required, "phase")
	}
	properties = append(properties, event.KV{Key: "gen", Value: object{
		{Key: "type", Value: "integer"}, {Key: "minimum", Value: 0.0}, {Key: "description", Value: "Generation that was live."},
	}})
	for _, k := range recordKeys(e) {
		properties = append(properties, event.KV{Key: k.name, Value: schemaValue(k.leaf)})
		if !k.optional {
			required = append(required, k.name)
		}
	}
	return object{
		{Key: "description", Value: e.When},
		{Key: "type", Value: "object"},
		{Key: "properties", Value: properties},
		{Key: "required", Value: required},
	}
}

// schemaValue describes what an encoder writes for a field.
func schemaValue(f *model.Field) object {
	var v object
	switch f.Type.Kind {
	case event.Bool:
		v = object{{Key: "type", Value: "boolean"}}
	case event.Uint:
		v = object{{Key: "type", Value: "integer"}, {Key: "minimum", Value: 0.0}}
		if f.Type.Bits < 64 {
			v = append(v, event.KV{Key: "maximum", Value: float64(uint64(1)<<f.Type.Bits - 1)})
		}
	case event.Int:
		v = object{{Key: "type", Value: "integer"}}
	case event.Size:
		v = object{{Key: "type", Value: "integer"}, {Key: "minimum", Value: 0.0}}
	case event.Float:
		v = object{{Key: "type", Value: []any{"number", "null"}}}
	case event.Time, event.Duration:
		v = object{{Key: "type", Value: "number"}}
	case event.IP, event.Endpoint:
		v = object{{Key: "type", Value: []any{"string", "null"}}}
	case event.Enum:
		var words []any
		for _, w := range f.Type.Enum.Names {
			words = append(words, w)
		}
		v = object{{Key: "enum", Value: words}}
	case event.Strings:
		v = object{{Key: "type", Value: "array"}, {Key: "items", Value: object{{Key: "type", Value: "string"}}}}
	case event.String:
		v = object{{Key: "type", Value: "string"}}
	}
	text := f.Doc
	switch {
	case f.Type.Kind == event.Time:
		text += " In seconds since the epoch."
	case f.Type.Kind == event.Duration:
		text += " In seconds."
	case f.Unit != "":
		text += " In " + f.Unit + "."
	}
	return append(v, event.KV{Key: "description", Value: text})
}
