package model_test

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/spec/model"
)

func load(t *testing.T, fsys fstest.MapFS) *model.Spec {
	t.Helper()
	spec, err := model.Load(fsys)
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

// schema returns the commented example.
func schema(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "schema.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// The schema is an example that loads, and shows every key there is.
func TestSchemaIsComplete(t *testing.T) {
	t.Parallel()
	text := schema(t)
	spec := load(t, fstest.MapFS{"schema.yaml": &fstest.MapFile{Data: text}})
	if got := spec.Families[0].Name; got != "sample" {
		t.Errorf("the family is %s", got)
	}
	for _, typ := range []any{
		model.Family{},
		model.Enum{},
		model.Verdict{},
		model.Object{},
		model.Field{},
		model.Function{},
		model.Param{},
		model.Value{},
		model.Event{},
		model.Phase{},
	} {
		rt := reflect.TypeOf(typ)
		for i := range rt.NumField() {
			key := rt.Field(i).Tag.Get("yaml")
			if key != "" && key != "-" && !regexp.MustCompile(`[ {]`+key+`:|(?m)^`+key+`:`).Match(text) {
				t.Errorf("schema.yaml does not show %s of %s", key, rt.Name())
			}
		}
	}
}

func TestPlaces(t *testing.T) {
	t.Parallel()
	const text = `family: sample
doc: A sample.
objects:
  - name: thing
    life: kept
    since: "0.1"
    doc: A thing.
    fields:
      - {name: id, type: u64, doc: Its number.}
      - name: next
        type: thing
        optional: true
        doc: Another.
    record:
      thing: id
      after: next.id
events:
  - name: ping
    since: "0.1"
    when: Now.
    args: [t]
    phases:
      - {name: a, doc: A.}
      - {name: b, doc: B.}
    fields:
      - {name: t, type: thing, doc: What.}
    example: x()
  - {name: pong, since: "0.1", when: Then., args: [], example: x()}
`
	f := load(t, fstest.MapFS{"sample.yaml": &fstest.MapFile{Data: []byte(text)}}).Families[0]
	thing, ping, pong := f.Objects[0], f.Events[0], f.Events[1]
	got := []string{f.At.String(), thing.At.String(), thing.Fields[1].At.String(), thing.Record[1].At.String(), ping.At.String(), ping.Phases[1].At.String()}
	want := []string{"sample.yaml:1", "sample.yaml:4", "sample.yaml:10", "sample.yaml:16", "sample.yaml:18", "sample.yaml:24"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if next := thing.Field("next").Type; next.Kind != event.ObjectRef || next.Object != thing {
		t.Errorf("next is %+v", next)
	}
	if k := thing.Record[1]; k.Leaf() != thing.Field("id") || !k.Optional() || thing.Record[0].Optional() {
		t.Errorf("record keys: %+v", thing.Record)
	}
	if ping.FirstPoint != 1 || ping.Points() != 2 || pong.FirstPoint != 3 || pong.Points() != 1 {
		t.Errorf("points: ping %d+%d, pong %d+%d", ping.FirstPoint, ping.Points(), pong.FirstPoint, pong.Points())
	}
	if !ping.IsArg("t") || len(ping.OwnFields()) != 0 || ping.Full() != "sample.ping" {
		t.Errorf("ping: %+v", ping)
	}
}

// Families are sorted by name, so numbers do not depend on file names.
func TestOrder(t *testing.T) {
	t.Parallel()
	family := func(name string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte("family: " + name + "\ndoc: It.\nevents:\n" +
			`  - {name: e, since: "0.1", when: Now., args: [], example: x()}` + "\n")}
	}
	spec := load(t, fstest.MapFS{"1.yaml": family("z"), "2.yaml": family("a")})
	if a, z := spec.Families[0], spec.Families[1]; a.Name != "a" || z.Events[0].FirstPoint != 2 {
		t.Errorf("families %s, %s; e of the second is point %d", a.Name, z.Name, z.Events[0].FirstPoint)
	}
	if _, err := model.Load(fstest.MapFS{}); err == nil {
		t.Error("no declarations are some")
	}
}

// Adding past the limit of hook points is told.
func TestTooManyPoints(t *testing.T) {
	t.Parallel()
	text := "family: a\ndoc: It.\nevents:\n"
	for i := range event.MaxPoints {
		text += `  - {name: e` + string(rune('a'+i/26%26)) + string(rune('a'+i%26)) + `, since: "0.1", when: Now., args: [], example: x()}` + "\n"
	}
	_, err := model.Load(fstest.MapFS{"a.yaml": &fstest.MapFile{Data: []byte(text)}})
	if err == nil || !regexp.MustCompile(`(?m)^a\.yaml:1: 512 hook points are declared: event\.MaxPoints allows 511$`).MatchString(err.Error()) {
		t.Errorf("got %v", err)
	}
}
