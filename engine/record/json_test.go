package record

import (
	"bytes"
	"fmt"
	"math"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEncode(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name string
		fill func(*Builder) error
		want string
	}{
		{"empty", empty, `{}`},
		{"object in order", func(b *Builder) error {
			return sets(b, "z", 1, "a", true, "m", "line\n\"q\"\\\x01ü")
		}, `{"z":1,"a":true,"m":"line\n\"q\"\\\u0001ü"}`},
		{"array", func(b *Builder) error { return sets(b, 1, "x", 2, -0.5, 3, 1e300) }, `["x",-0.5,1e+300]`},
		{
			"mixed", func(b *Builder) error { return sets(b, 1, "x", "k", 2, 7, 3) },
			`{"$list":["x"],"$pairs":[["k",2],[7,3]]}`,
		},
		{
			"odd keys", func(b *Builder) error { return sets(b, "$list", 1, true, 2, "\xff", 3) },
			`{"$pairs":[["$list",1],[true,2],[{"$bytes":"/w=="},3]]}`,
		},
		{"odd values", func(b *Builder) error {
			return sets(b, 1, math.NaN(), 2, math.Inf(1), 3, math.Inf(-1), 4, "\x80")
		}, `[{"$number":"nan"},{"$number":"inf"},{"$number":"-inf"},{"$bytes":"gA=="}]`},
		{
			"infinite key", func(b *Builder) error { return sets(b, math.Inf(1), 1) },
			`{"$pairs":[[{"$number":"inf"},1]]}`,
		},
		{"nested", func(b *Builder) error {
			return b.Table(String("t"), nil, func(b *Builder) error { return b.Table(Number(1), nil, empty) })
		}, `{"t":[{}]}`},
	}
	for _, row := range rows {
		root := NewRoot("state", limitsFor(StateLimits()))
		root.SetVersion(3)
		mustBuild(t, root, "v", row.fill)
		want := `{"v":1,"version":3,"data":{"v":` + row.want + `}}`
		got := root.AppendJSON(nil)
		if string(got) != want {
			t.Errorf("%s: %s, want %s", row.name, got, want)
		}
		back, err := DecodeJSON("state", limitsFor(StateLimits()), got)
		if err != nil {
			t.Errorf("%s: %v", row.name, err)
			continue
		}
		checkTree(t, &back.top)
		if again := back.AppendJSON(nil); !bytes.Equal(again, got) {
			t.Errorf("%s: comes back as %s", row.name, again)
		}
		if back.Size() != root.Size() || back.Version() != 3 {
			t.Errorf("%s: size %d, was %d", row.name, back.Size(), root.Size())
		}
	}
}

func sets(b *Builder, pairs ...any) error {
	for i := 0; i < len(pairs); i += 2 {
		if err := b.Set(toValue(pairs[i]), toValue(pairs[i+1])); err != nil {
			return err
		}
	}
	return nil
}

func TestEncodeHoles(t *testing.T) {
	t.Parallel()
	root := NewRoot("state", limitsFor(StateLimits()))
	list := mustBuild(t, root, "l", func(b *Builder) error { return sets(b, 1, 1, 2, 2, 3, 3, 4, 4) })
	for _, i := range []int{1, 3} {
		if err := list.Set(intKey(i), Value{}); err != nil {
			t.Fatal(err)
		}
	}
	const want = `{"v":1,"version":0,"data":{"l":[null,2,null,4]}}`
	got := root.AppendJSON(nil)
	back, err := DecodeJSON("state", limitsFor(StateLimits()), got)
	if string(got) != want || err != nil {
		t.Fatalf("%s: %v", got, err)
	}
	checkTree(t, &back.top)
	if tab, _ := back.Table().Get(String("l")).AsTable(); tab.Len() != 4 {
		t.Errorf("length %d after coming back", tab.Len())
	}
}

func TestDecodeErrors(t *testing.T) {
	t.Parallel()
	wrap := func(data string) string { return `{"v":1,"version":0,"data":` + data + `}` }
	rows := []struct{ in, want string }{
		{"", "unexpected EOF"},
		{`{"v":2,"version":0,"data":{}}`, "expected 1, found 2"},
		{`{"v":1,"version":0.5,"data":{}}`, "version is not an integer"},
		{`{"v":1,"version":0,"data":{}} x`, "something follows"},
		{wrap(`3`), "outermost value"},
		{wrap("{\n\"a\":1,\n\"a\":2}"), `line 3: key "a" comes twice`},
		{wrap(`{"$what":1}`), `unknown form "$what"`},
		{wrap(`{"a":1,"$pairs":[]}`), "among others"},
		{wrap(`{"$pairs":[],"$list":[]}`), "expected }"},
		{wrap(`{"$pairs":[[1,2],[1,3]]}`), "comes twice"},
		{wrap(`{"$pairs":[[null,2]]}`), "cannot be nil"},
		{wrap(`{"$pairs":[[{"$number":"nan"},2]]}`), "cannot be NaN"},
		{wrap(`{"$pairs":[[[],2]]}`), "cannot be nil"},
		{wrap(`{"a":{"$number":"1"}}`), `unknown form "$number" "1"`},
		{wrap(`{"a":{"$bytes":7}}`), `takes a string`},
		{wrap(`{"a":{"$bytes":"*"}}`), `illegal base64`},
		{wrap(`[[[[[[[[[[]]]]]]]]]]`), "nest at most 8 deep"},
		{wrap(`["` + strings.Repeat("x", 1<<20) + `"]`), "state is full: 1 MiB"},
		{wrap(`[` + strings.Repeat("null,", 1<<16) + `1]`), "state is full: 1 MiB"},
		{wrap("[\"\xff\"]"), "not UTF-8"},
		{wrap(`{"a":1e999}`), "1e999"},
	}
	for _, row := range rows {
		_, err := DecodeJSON("state", limitsFor(StateLimits()), []byte(row.in))
		if err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%.60s: %v, want %s", row.in, err, row.want)
		}
	}
}

func TestParseData(t *testing.T) {
	t.Parallel()
	plan := `{"routes":[{"prefix":"49","to":"sip:b"},null,{"prefix":"43"}],"$ref":"x","none":null}`
	root, err := ParseData(`data "plan.json"`, limitsFor(StateLimits()), []byte(plan))
	if err != nil {
		t.Fatal(err)
	}
	want := map[any]any{"$ref": "x", "routes": map[any]any{
		1.0: map[any]any{"prefix": "49", "to": "sip:b"}, 3.0: map[any]any{"prefix": "43"},
	}}
	if diff := cmp.Diff(want, plainOf(t, root.Table())); diff != "" {
		t.Error(diff)
	}
	err = root.Table().Set(String("x"), Bool(true))
	if err == nil || err.Error() != `data "plan.json" is read-only` {
		t.Errorf("write: %v", err)
	}
	if root.Stage() != root {
		t.Error("a frozen root has a view of its own")
	}
	_, err = ParseData("plan.json", limitsFor(StateLimits()), []byte("[1,\n2,\n}"))
	if err == nil || !strings.Contains(err.Error(), "plan.json: line 3") {
		t.Errorf("broken file: %v", err)
	}
}

func TestRandomTreesComeBack(t *testing.T) {
	t.Parallel()
	for seed := range int64(100) {
		rng := rand.New(rand.NewSource(seed))
		live := NewRoot("state", limitsFor(Limits{Depth: 8, Value: 1 << 20, Total: 1 << 24}))
		r := &stageRun{t: t, rng: rng, live: live, hold: []held{{live.Table(), newNode(), nil, false}}}
		for range 200 {
			r.act()
		}
		wire := live.AppendJSON(nil)
		back, err := DecodeJSON("state", live.limits, wire)
		if err != nil {
			t.Fatalf("%s: %v", wire, err)
		}
		checkTree(t, &back.top)
		if diff := cmp.Diff(plainOf(t, live.Table()), plainOf(t, back.Table())); diff != "" {
			t.Fatal(diff)
		}
		if again := back.AppendJSON(nil); !bytes.Equal(wire, again) {
			t.Fatalf("seed %d:\n%s\n%s", seed, wire, again)
		}
	}
}

func FuzzDecodeJSON(f *testing.F) {
	seeds, err := filepath.Glob("testdata/*.json")
	if err != nil || len(seeds) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, name := range seeds {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	lim := &Limits{Depth: 8, Value: 64 << 10, Total: 1 << 20}
	f.Fuzz(func(t *testing.T, data []byte) {
		if plain, err := ParseData("data", lim, data); err == nil {
			if n := checkTree(t, &plain.top); n > lim.Total {
				t.Fatalf("%d bytes of data passed the limit", n)
			}
		}
		root, err := DecodeJSON("state", lim, data)
		if err != nil {
			return
		}
		checkTree(t, &root.top)
		if root.Size() > lim.Total {
			t.Fatalf("%d bytes passed the limit", root.Size())
		}
		wire := root.AppendJSON(nil)
		back, err := DecodeJSON("state", lim, wire)
		if err != nil {
			t.Fatalf("%s: %v", wire, err)
		}
		if again := back.AppendJSON(nil); !bytes.Equal(wire, again) {
			t.Fatalf("%s\ncomes back as\n%s", wire, again)
		}
	})
}

func TestErrorTexts(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{1 << 30: "1 GiB", 3 << 20: "3 MiB", 8192: "8 KiB", 1000: "1000 B"} {
		if got := Bytes(n); got != want {
			t.Errorf("Bytes(%d) = %s, want %s", n, got, want)
		}
	}
	for v, want := range map[*Value]string{
		{}:                                   "nil",
		ptr(Bool(true)):                      "true",
		ptr(Number(1e15)):                    "1e+15",
		ptr(Number(3)):                       "3",
		ptr(String("a\n")):                   `"a\n"`,
		ptr(String(strings.Repeat("x", 99))): `"` + strings.Repeat("x", 64) + `"...`,
	} {
		if got := fmt.Sprint(*v); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func ptr(v Value) *Value { return &v }
