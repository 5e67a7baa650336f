package flowev_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
)

// schemaOf is the part of JSON Schema that the generator writes.
type schemaOf struct {
	Const      any
	Enum       []any
	Type       any
	Minimum    *float64
	Maximum    *float64
	Items      *schemaOf
	Properties map[string]*schemaOf
	Required   []string
	Defs       map[string]*schemaOf `json:"$defs"`
}

// check reports how v breaks s.
func (s *schemaOf) check(v any) error {
	n, isNumber := v.(float64)
	switch {
	case s.Const != nil && s.Const != v:
		return fmt.Errorf("%v is not %v", v, s.Const)
	case s.Enum != nil && !slices.Contains(s.Enum, v):
		return fmt.Errorf("%v is not among %v", v, s.Enum)
	case s.Minimum != nil && isNumber && n < *s.Minimum, s.Maximum != nil && isNumber && n > *s.Maximum:
		return fmt.Errorf("%v is out of range", v)
	case s.Type != nil && !s.allows(typeName(v)):
		return fmt.Errorf("%v is no %v", v, s.Type)
	}
	return nil
}

func (s *schemaOf) allows(name string) bool {
	if list, ok := s.Type.([]any); ok {
		return slices.Contains(list, any(name))
	}
	return s.Type == name || s.Type == "number" && name == "integer"
}

func typeName(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case float64:
		if v == float64(int64(v)) {
			return "integer"
		}
		return "number"
	case string:
		return "string"
	case []any:
		return "array"
	default:
		return "object"
	}
}

// Every event's record fits the committed schema, and the schema knows no
// required key that the record lacks nor lacks one that it has.
func TestRecordsFitTheSchema(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "spec", "reference", "schema", "flow.json"))
	if err != nil {
		t.Fatal(err)
	}
	var root schemaOf
	if err := json.Unmarshal(text, &root); err != nil {
		t.Fatal(err)
	}
	c, pkt := newConn(), &packet{}
	for _, e := range []any{
		&flowev.PktIn{C: c, Pkt: pkt, Side: flowev.SideClient},
		&flowev.ConnStart{C: c, Pkt: pkt, Side: flowev.SideServer},
		&flowev.TCPStateChange{C: c, Side: flowev.SideServer},
		&flowev.Rexmit{C: c, Pkt: pkt},
		&flowev.ConnEnd{C: c},
		&flowev.NewData{C: c, D: data{}},
		&flowev.Orphan{Pkt: pkt},
	} {
		i := slices.IndexFunc(flowev.Family.Events, func(i *event.Info) bool {
			return fmt.Sprintf("%T", i.New()) == fmt.Sprintf("%T", e)
		})
		if i < 0 {
			t.Errorf("%T is no event", e)
			continue
		}
		row := flowev.Family.Events[i]
		head := fmt.Sprintf(`{"v":1,"ts":1.5,"event":%q`, row.Name)
		if phase := row.Default().Phase; phase != "" {
			head += fmt.Sprintf(`,"phase":%q`, phase)
		}
		fits(t, row.Name, root.Defs[row.Name], append(row.AppendJSON([]byte(head), e), '}'))
	}
}

func fits(t *testing.T, name string, s *schemaOf, record []byte) {
	t.Helper()
	var got map[string]any
	if err := json.Unmarshal(record, &got); err != nil {
		t.Errorf("%s: %v in %s", name, err, record)
		return
	}
	for _, key := range s.Required {
		if _, ok := got[key]; !ok {
			t.Errorf("%s: the record lacks %s: %s", name, key, record)
		}
	}
	for key, v := range got {
		p := s.Properties[key]
		if p == nil {
			t.Errorf("%s: the schema lacks %s", name, key)
			continue
		}
		if err := p.check(v); err != nil {
			t.Errorf("%s: %s: %v", name, key, err)
		}
	}
}

type data struct{ flowev.Data }

func (data) Offset() uint64 { return 7 }
func (data) Len() uint32    { return 9 }
