package store

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine/record"
)

// content lists a store's entries as "key=value@until".
func content(s *Store) []string {
	var list []string
	for item := range s.All() {
		text := item.Key.String()
		if s.kind != Set {
			text += "=" + string(record.AppendValue(nil, item.Value))
		}
		if item.Until != 0 {
			text += fmt.Sprintf("@%d", item.Until)
		}
		list = append(list, text)
	}
	return list
}

// TestAddLines reads files of every kind of store.
func TestAddLines(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		config Config
		text   string
		want   []string
		errs   []string
	}{
		{"networks", Config{Key: KeyCIDR}, "\ufeff# list\r\n10.0.0.0/8\r\n\r\n  192.0.2.1  # one\n2001:db8::/32;SBL1\n10.0.0.0/8", []string{"10.0.0.0/8", "192.0.2.1/32", "2001:db8::/32"}, nil},
		{"addresses", Config{Key: KeyIP}, "10.0.0.1\n10.0.0.300\n10.0.0.0/8\n::1", []string{"10.0.0.1", "::1"}, []string{
			`line 2: "10.0.0.300" is no ip key (an address like "10.0.0.1" or "2001:db8::1"): IPv4 field has value >255`,
			`line 3: "10.0.0.0/8" is no ip key (an address like "10.0.0.1" or "2001:db8::1"): unexpected character (at "/8")`,
		}},
		{"words", Config{Key: KeyString}, "a b\nc#d\n#e\nf # g\nx;y\n\xff", []string{"a b", "c#d", "f", "x;y"}, []string{"line 6: not UTF-8"}},
		{"any", Config{}, "1\nx", []string{"1", "x"}, nil},
		{"map", Config{Kind: Map, Key: KeyNumber}, "80 http\n443\thttps  over TLS # x\n80 web\n53\nx y", []string{`80="web"`, `443="https  over TLS"`}, []string{
			"line 4: a map's line is a key, a space and a text", `line 5: "x" is no number key (a number): invalid syntax`,
		}},
		{"counter", Config{Kind: Counter, Key: KeyString}, "a 1\nb -2.5\na 7\nc\nd inf\ne x", []string{"b=-2.5", "a=7"}, []string{
			"line 4: a counter's line is a key, a space and a number", "line 5: a counter's line is a key, a space and a number", "line 6: a counter's line is a key, a space and a number",
		}},
		{"full", Config{Key: KeyNumber, Max: 2}, "1\n2\n3\n2", []string{"1", "2"}, []string{"line 3: the store is full: 2 entries"}},
		{"hopeless", Config{Key: KeyIP}, strings.Repeat("x\n", 50), nil, nil},
	} {
		tt.config.Name = "s"
		c, err := tt.config.normal()
		if err != nil {
			t.Fatal(err)
		}
		s := newStore(c, new(testClock))
		var errs []string
		for _, e := range s.AddLines(tt.text) {
			errs = append(errs, e.Error())
		}
		if tt.name == "hopeless" {
			if len(errs) != maxLineErrors {
				t.Errorf("%d errors about a file that is no list", len(errs))
			}
			continue
		}
		if diff := cmp.Diff(tt.errs, errs); diff != "" {
			t.Errorf("%s: errors %s", tt.name, diff)
		}
		if diff := cmp.Diff(tt.want, content(s)); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
}

// TestFill checks that content takes effect with the publish, in one step, and
// that nobody else changes it.
func TestFill(t *testing.T) {
	t.Parallel()
	r := NewRegistry(new(testClock), 0)
	c := Config{Name: "bad", Key: KeyCIDR, File: "bad.txt"}
	fill := func(text string, src Source) *Store {
		t.Helper()
		st := r.Stage()
		s, err := st.Declare(c, "a.lua")
		if err != nil {
			t.Fatal(err)
		}
		decl := st.Declarations()
		if len(decl) != 1 || decl[0].Config.File != "bad.txt" || decl[0].Live != (s.Size() > 0) {
			t.Fatalf("declared %+v", decl)
		}
		if decl[0].Source == src {
			t.Fatal("the source of before is taken for this one")
		}
		aside := st.Aside("bad")
		if errs := aside.AddLines(text); errs != nil {
			t.Fatal(errs)
		}
		st.Fill("bad", aside, src)
		before := content(s)
		aside2 := st.Aside("none")
		if aside2 != nil {
			t.Error("a store for a name that nobody declared")
		}
		if diff := cmp.Diff(before, content(s)); diff != "" {
			t.Errorf("before the publish: %s", diff)
		}
		if err := st.Publish(); err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := fill("10.0.0.0/8\n192.0.2.0/24", Source{1})
	key := func(text string) Key {
		k, err := KeyCIDR.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	walk := s.Walk()
	walk.Next()
	if s2 := fill("192.0.2.0/24\n198.51.100.0/24\n203.0.113.0/24", Source{2}); s2 != s {
		t.Error("another store")
	}
	if diff := cmp.Diff([]string{"192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"}, content(s)); diff != "" {
		t.Error(diff)
	}
	if item, ok := walk.Next(); ok {
		t.Errorf("a walk over what was there met %v", item.Key)
	}
	if s.Has(key("10.1.1.1")) || !s.Has(key("198.51.100.7")) || s.Size() != 3 {
		t.Error("lookups find other content")
	}
	var refused *Error
	if _, err := s.Add(key("10.0.0.0/8"), 0); !errors.As(err, &refused) || refused.Reason != ReadOnly || !strings.Contains(err.Error(), "bad.txt") {
		t.Errorf("add: %v", err)
	}
	if s.Remove(key("192.0.2.0/24")) || s.Clear() != 0 || s.Size() != 3 {
		t.Error("what a file holds was taken out")
	}
	if st := s.Stats(); st.Entries != 3 || st.Bytes != 3*entryBytes || st.Added != 5 || st.Removed != 2 || st.Refused != 3 {
		t.Errorf("stats %+v", st)
	}
	// Without a file the content stays and can be changed again.
	if _, err := r.Declare(Config{Name: "bad", Key: KeyCIDR}, "a.lua"); err == nil {
		t.Error("a difference between declarations was taken")
	}
	st := r.Stage()
	st.Forget("a.lua")
	if _, err := st.Declare(Config{Name: "bad", Key: KeyCIDR}, "a.lua"); err != nil {
		t.Fatal(err)
	}
	if src := st.Declarations()[0].Source; src != (Source{}) {
		t.Error("a store without a file has a source")
	}
	if err := st.Publish(); err != nil {
		t.Fatal(err)
	}
	if !s.Remove(key("192.0.2.0/24")) {
		t.Error("still read-only")
	}
}

func TestFileAndWhatElse(t *testing.T) {
	t.Parallel()
	r := NewRegistry(new(testClock), 0)
	for _, c := range []Config{{File: "f", TTL: 1}, {File: "f", Persist: true}, {File: "f", Evict: Oldest}} {
		c.Name = "x"
		if _, err := r.Declare(c, "a.lua"); err == nil || !strings.Contains(err.Error(), "file and ") {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// TestSaveAndLoad checks that what was saved is there again, with its order and
// its deadlines, whatever the keys and values are.
func TestSaveAndLoad(t *testing.T) {
	t.Parallel()
	clock := &testClock{}
	clock.now.Store(int64(1_772_345_109_500_000_001))
	for _, tt := range []struct {
		config Config
		fill   func(s *Store)
	}{
		{Config{Key: KeyIP}, func(s *Store) {
			for i := range 200 {
				k, _ := s.Key(record.String(fmt.Sprintf("10.0.%d.1", i)))
				_, _ = s.Add(k, time.Duration(i%3)*time.Hour)
			}
		}},
		{Config{}, func(s *Store) {
			for _, k := range []Key{StringKey("1"), NumberKey(1), BoolKey(true), StringKey("a\xff\x00"), StringKey("ä\"\n"), NumberKey(math.Inf(1)), NumberKey(0.1), StringKey("")} {
				_, _ = s.Add(k, Forever)
			}
		}},
		{Config{Kind: Counter, Key: KeyCIDR, TTL: time.Minute}, func(s *Store) {
			k, _ := KeyCIDR.Parse("10.0.0.0/8")
			_, _ = s.Incr(k, 2.5, 0)
			k, _ = KeyCIDR.Parse("2001:db8::1")
			_, _ = s.Incr(k, -1e300, Forever)
		}},
		{Config{Kind: Map, Key: KeyEndpoint}, func(s *Store) {
			k, _ := KeyEndpoint.Parse("[2001:db8::1]:5060")
			v, _ := record.BuildFrozen("v", s.ValueLimits(), nil, func(b *record.Builder) error {
				_ = b.Set(record.String("a"), record.Number(math.NaN()))
				_ = b.Set(record.Number(1), record.Bool(false))
				return b.Table(record.String("deep"), nil, nest(7))
			})
			_ = s.Put(k, v, 0)
			k, _ = KeyEndpoint.Parse("10.0.0.1:80")
			_ = s.Put(k, record.String("text\xfe"), time.Second)
		}},
	} {
		tt.config.Name = "s"
		c, err := tt.config.normal()
		if err != nil {
			t.Fatal(err)
		}
		s := newStore(c, clock)
		tt.fill(s)
		if s.Size() == 0 {
			t.Fatal("nothing to save")
		}
		var saved bytes.Buffer
		if err := s.Save(&saved); err != nil {
			t.Fatal(err)
		}
		again := newStore(c, new(testClock)) // time has not begun
		if refused, err := again.Load(bytes.NewReader(saved.Bytes())); err != nil || refused != 0 {
			t.Fatalf("%d refused, %v\n%s", refused, err, &saved)
		}
		if diff := cmp.Diff(content(s), content(again)); diff != "" {
			t.Error(diff)
		}
		var twice bytes.Buffer
		again.clock = clock
		if err := again.Save(&twice); err != nil || twice.String() != saved.String() {
			t.Errorf("saved again, it differs: %v\n%s\n%s", err, &saved, &twice)
		}
		// A smaller store takes what it has room for.
		c.Max = 1
		small := newStore(c, clock)
		if refused, err := small.Load(bytes.NewReader(saved.Bytes())); err != nil || refused != s.Size()-1 || small.Size() != 1 {
			t.Errorf("a small store has %d, refused %d: %v", small.Size(), refused, err)
		}
		if _, err := newStore(mustNormal(t, Config{Name: "s", Kind: Set, Key: KeyNumber}), clock).Load(bytes.NewReader(saved.Bytes())); !errors.Is(err, errOther) {
			t.Errorf("another kind of store: %v", err)
		}
	}
}

func mustNormal(t *testing.T, c Config) Config {
	t.Helper()
	c, err := c.normal()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// nest fills tables so many levels deep.
func nest(levels int) func(*record.Builder) error {
	return func(b *record.Builder) error {
		if levels == 0 {
			return b.Set(record.String("x"), record.Number(1))
		}
		return b.Table(record.String("n"), nil, nest(levels-1))
	}
}

// TestLoadWhatIsBroken names the line of what cannot be read.
func TestLoadWhatIsBroken(t *testing.T) {
	t.Parallel()
	const head = `{"v":1,"store":"s","kind":"map","key":"string","at":0}` + "\n"
	for _, tt := range []struct{ text, want string }{
		{"", "line 1: unexpected EOF"},
		{"nothing", "line 1: invalid character"},
		{`{"v":2,"kind":"map","key":"string"}`, "line 1: version 2, not 1"},
		{head + "[1", "line 2: unexpected EOF"},
		{head + `["a",0]`, "line 2: 2 parts, not 3"},
		{head + `["a",0,"x"]` + "\n" + `[{},0,"x"]`, "line 3: "},
		{head + `["a","x",1]`, `line 2: "\"x\"" is no time`},
		{head + `["a",-1,1]`, "is no time"},
		{head + `["a",0,null]`, "a map's entry without a value"},
		{head + `["a",0,{"$bytes":"!"}]`, "illegal base64"},
		{head + strings.Repeat("x", maxSavedLine+1), "token too long"},
	} {
		s := newStore(mustNormal(t, Config{Name: "s", Kind: Map, Key: KeyString}), new(testClock))
		if _, err := s.Load(strings.NewReader(tt.text)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.60q: %v, want %s", tt.text, err, tt.want)
		}
	}
}

// FuzzLoad loads anything; what could be loaded is saved and loaded the same.
func FuzzLoad(f *testing.F) {
	f.Add(`{"v":1,"store":"s","kind":"map","key":"any","at":0}` + "\n" + `["a",5,{"x":[1,{"$number":"nan"}]}]` + "\n" + `[{"$bytes":"/w=="},0,true]`)
	f.Add("{\"v\":1,\"kind\":\"map\",\"key\":\"any\"}\n[1,0,{\"$pairs\":[[true,1]]}]\n\n[]")
	f.Fuzz(func(t *testing.T, text string) {
		c, _ := Config{Name: "s", Kind: Map, Max: 100}.normal()
		s := newStore(c, new(testClock))
		if _, err := s.Load(strings.NewReader(text)); err != nil {
			return
		}
		var saved bytes.Buffer
		if err := s.Save(&saved); err != nil {
			t.Fatal(err)
		}
		again := newStore(c, new(testClock))
		if refused, err := again.Load(&saved); err != nil || refused != 0 {
			t.Fatal(refused, err)
		}
		if diff := cmp.Diff(content(s), content(again)); diff != "" {
			t.Fatal(diff)
		}
	})
}

// FuzzLines reads anything as a file; what is in afterwards is what a file of
// just that says.
func FuzzLines(f *testing.F) {
	for _, s := range []string{"10.0.0.0/8 # x\n::1;y\n", "a 1\r\nb  2", "#\n;\n \t\n", "\ufeff1.2.3.4/33"} {
		f.Add(s, uint8(0), uint8(4))
	}
	f.Fuzz(func(t *testing.T, text string, kind, key uint8) {
		c, err := Config{Name: "s", Kind: Kind(kind % 3), Key: KeyType(key % uint8(len(keyTypes)))}.normal()
		if err != nil {
			t.Fatal(err)
		}
		s := newStore(c, new(testClock))
		for _, e := range s.AddLines(text) {
			if e.Line < 1 || e.Line > strings.Count(text, "\n")+1 || e.Err == nil {
				t.Fatalf("%+v", e)
			}
		}
		if s.Size() > strings.Count(text, "\n")+1 {
			t.Fatal("more entries than lines")
		}
	})
}
