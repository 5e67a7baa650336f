package match

import (
	"errors"
	"math"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/store"
)

func TestResolve(t *testing.T) {
	t.Parallel()
	e := rexmit()
	for _, tt := range []struct {
		path string
		kind event.Kind
		read func(event.Getter) any
		want any
	}{
		{"client.port", event.Uint, func(g event.Getter) any { return g.Uint(e) }, uint64(40000)},
		{"c.client.port", event.Uint, func(g event.Getter) any { return g.Uint(e) }, uint64(40000)},
		{"id", event.Uint, func(g event.Getter) any { return g.Uint(e) }, uint64(17)},
		{"pkt.len", event.Uint, func(g event.Getter) any { return g.Uint(e) }, uint64(1500)},
		{"pkt.payload", event.Bytes, func(g event.Getter) any { return string(g.Bytes(e)) }, "GET / HTTP/1.1\r\n"},
		{"kind", event.Enum, func(g event.Getter) any { return g.Uint(e) }, uint64(0)},
		{"client.ip", event.IP, func(g event.Getter) any { return g.IP(e).String() }, "10.0.0.1"},
		{"server.endpoint", event.Endpoint, func(g event.Getter) any { return g.Endpoint(e).String() }, "[2001:db8::5]:443"},
		{"cid", event.String, func(g event.Getter) any { return g.String(e) }, "1:x"},
		{"duration", event.Duration, func(g event.Getter) any { return g.Int(e) }, int64(15e8)},
		{"tags", event.Strings, func(g event.Getter) any { return len(g.Strings(e)) }, 2},
		{"client", event.ObjectRef, func(g event.Getter) any { return g.Object(e) == e.C.Client() }, true},
	} {
		info, cat := flow(t, "flow.rexmit")
		p, err := Resolve(split(tt.path), info, cat)
		if err != nil {
			t.Errorf("%s: %v", tt.path, err)
			continue
		}
		if p.Name != tt.path || p.Type.Kind != tt.kind || p.Optional {
			t.Errorf("%s: got %+v", tt.path, p)
		}
		if got := tt.read(p.Get); got != tt.want {
			t.Errorf("%s is %v, want %v", tt.path, got, tt.want)
		}
		if has := p.Get.Present; has != nil && !has(e) {
			t.Errorf("%s is absent", tt.path)
		}
	}
}

// TestResolveOrder: the subject's fields hide those of the event.
func TestResolveOrder(t *testing.T) {
	t.Parallel()
	info, objs := sampleInfo(), objects{thingObject()}
	e := &sample{S: &thing{U16: 1}, O: &thing{U16: 2}, U16: 3, N: 4}
	for path, want := range map[string]uint64{"u16": 1, "s.u16": 1, "o.u16": 2, "n": 4} {
		p, err := Resolve(split(path), info, objs)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Get.Uint(e); got != want {
			t.Errorf("%s is %d, want %d", path, got, want)
		}
	}
}

func TestResolveOptional(t *testing.T) {
	t.Parallel()
	info, objs := sampleInfo(), objects{thingObject()}
	full := &sample{
		S: &thing{Sub: &thing{U16: 7, HasMaybe: true, Maybe: 8}},
		O: &thing{Sub: &thing{}},
	}
	for _, tt := range []struct {
		path     string
		optional bool
		full     bool
	}{
		{"u16", false, true},
		{"maybe", true, false},
		{"sub.maybe", true, true},
		{"other.maybe", true, true},
		{"sub.u16", true, true},
		{"o.u16", true, true},
		{"o.sub.sub.u16", true, false},
		{"sub", true, true},
	} {
		p, err := Resolve(split(tt.path), info, objs)
		if err != nil {
			t.Fatal(err)
		}
		if p.Optional != tt.optional {
			t.Errorf("%s: optional is %v", tt.path, p.Optional)
		}
		if got := p.Get.Present(full); got != tt.full {
			t.Errorf("%s of a full event: present is %v", tt.path, got)
		}
		if p.Get.Present(&sample{}) {
			t.Errorf("%s of an empty event is present", tt.path)
		}
		if p.Type.Kind == event.Uint && p.Get.Uint(&sample{}) != 0 {
			t.Errorf("%s of an empty event is not zero", tt.path)
		}
		if _, ok := p.Key(&sample{}); ok {
			t.Errorf("%s of an empty event is a key", tt.path)
		}
	}
}

func TestPathErrors(t *testing.T) {
	t.Parallel()
	info, cat := flow(t, "flow.conn_end")
	root := []string{"id", "cid", "proto", "client", "server", "vlan", "icmp_id", "started", "duration", "tags", "data", "c", "reason"}
	for _, tt := range []struct {
		path       string
		at         int
		text, hint string
		candidates []string
	}{
		{"", 0, "a path names a field of flow.conn_end", "there is id, cid, proto, client, server, vlan, icmp_id, started, duration, tags, data, c and 1 more", root},
		{"raeson", 0, `flow.conn_end has no field "raeson"`, "did you mean reason?", root},
		{"reason.x", 1, `reason.x: reason is one of none, fin, rst, idle, reuse, evicted, shutdown, cut, reset: it has no field "x"`, "", nil},
		{"client.prt", 1, `client.prt: flow.peer has no field "prt"`, "did you mean port?", []string{"ip", "port", "endpoint", "state", "isn", "bytes", "pkts", "rexmits", "gaps", "window", "mss", "sent"}},
		{"c.tagged", 1, "c.tagged: tagged of flow.conn is a method, not a field", "there is id, cid, proto, client, server, vlan, icmp_id, started, duration, tags, data", root[:11]},
		{"pkt.len", 0, `pkt.len: flow.conn_end has no field "pkt"`, "there is id, cid, proto, client, server, vlan, icmp_id, started, duration, tags, data, c and 1 more", root},
	} {
		_, err := Resolve(split(tt.path), info, cat)
		var pe *PathError
		if !errors.As(err, &pe) {
			t.Errorf("%s: %v is no PathError", tt.path, err)
			continue
		}
		if pe.At != tt.at || pe.Error() != tt.text || pe.Hint() != tt.hint {
			t.Errorf("%s: got %d %q %q", tt.path, pe.At, pe.Error(), pe.Hint())
		}
		if diff := cmp.Diff(tt.candidates, pe.Candidates); diff != "" {
			t.Errorf("%s: candidates (-want +got):\n%s", tt.path, diff)
		}
	}
	long := make([]string, MaxDepth+1)
	for i := range long {
		long[i] = "sub"
	}
	_, err := Resolve(long, sampleInfo(), objects{thingObject()})
	var pe *PathError
	if !errors.As(err, &pe) || pe.Word() != "" {
		t.Errorf("a path of %d elements: %v", len(long), err)
	}
}

func TestKey(t *testing.T) {
	info, objs := sampleInfo(), objects{thingObject()}
	a := &thing{
		Flag: true, U64: 1 << 63, I16: -1, F: 0, Text: "x", Word: 2, Took: 5,
		IP: netip.MustParseAddr("10.0.0.1"), EP: netip.MustParseAddrPort("10.0.0.1:80"),
	}
	same := *a
	same.F, same.IP, same.EP = math.Copysign(0, -1), netip.MustParseAddr("::ffff:10.0.0.1"), netip.MustParseAddrPort("[::ffff:10.0.0.1]:80")
	other := thing{
		U64: 1, I16: 1, F: math.NaN(), Text: "y", Word: 1, Took: 6,
		IP: netip.MustParseAddr("10.0.0.2"), EP: netip.MustParseAddrPort("10.0.0.1:81"),
	}
	for _, path := range []string{"flag", "u64", "i16", "f", "text", "word", "took", "ip", "ep"} {
		p, err := Resolve(split(path), info, objs)
		if err != nil {
			t.Fatal(err)
		}
		if !p.Keyed() {
			t.Errorf("%s makes no key", path)
			continue
		}
		key := func(th *thing) store.Key {
			k, ok := p.Key(&sample{S: th})
			if !ok {
				t.Errorf("%s is absent", path)
			}
			return k
		}
		if key(a) != key(&same) {
			t.Errorf("%s: equal values make different keys", path)
		}
		if key(a) == key(&other) {
			t.Errorf("%s: different values make the same key", path)
		}
		if again := other; key(&other) != key(&again) {
			t.Errorf("%s: a value makes two keys", path)
		}
		e := any(&sample{S: a})
		counts := map[store.Key]int{{}: 1}
		k, _ := p.Key(e)
		counts[k] = 1
		if n := testing.AllocsPerRun(100, func() { k, _ := p.Key(e); counts[k]++ }); n != 0 {
			t.Errorf("%s: a key takes %v allocations", path, n)
		}
	}
	for _, path := range []string{"raw", "tags", "sub", "data"} {
		p, err := Resolve(split(path), info, objs)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := p.Key(&sample{S: a}); ok || p.Keyed() {
			t.Errorf("%s makes a key", path)
		}
	}
}
