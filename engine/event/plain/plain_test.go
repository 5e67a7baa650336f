package plain_test

import (
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/plain"
)

type word uint8

// target has a place for every kind of value.
type target struct {
	Bool     bool
	U8       uint8
	U64      uint64
	Int      int64
	Float    float64
	String   string
	Bytes    []byte
	IP       netip.Addr
	Endpoint netip.AddrPort
	Time     int64
	Duration time.Duration
	Size     int64
	Word     word
	Strings  []string
	Object   event.Kept
	Any      any
}

// set stores value in the named place of t.
func (t *target) set(place string, value any) error {
	switch place {
	case "Bool":
		return plain.SetBool(&t.Bool, value)
	case "U8":
		return plain.SetUint(&t.U8, value)
	case "U64":
		return plain.SetUint(&t.U64, value)
	case "Int":
		return plain.SetInt(&t.Int, value)
	case "Float":
		return plain.SetFloat(&t.Float, value)
	case "String":
		return plain.SetString(&t.String, value)
	case "Bytes":
		return plain.SetBytes(&t.Bytes, value)
	case "IP":
		return plain.SetIP(&t.IP, value)
	case "Endpoint":
		return plain.SetEndpoint(&t.Endpoint, value)
	case "Time":
		return plain.SetTime(&t.Time, value)
	case "Duration":
		return plain.SetDuration(&t.Duration, value)
	case "Size":
		return plain.SetSize(&t.Size, value)
	case "Word":
		return plain.SetEnum(&t.Word, value, []string{"none", "red"})
	case "Strings":
		return plain.SetStrings(&t.Strings, value)
	case "Object":
		return plain.SetObject(&t.Object, value, "flow.conn", false)
	default:
		return plain.SetAny(&t.Any, value)
	}
}

func TestSet(t *testing.T) {
	t.Parallel()
	addr := netip.MustParseAddr("::1")
	for _, test := range []struct {
		place string
		value any
		want  target
	}{
		{"Bool", true, target{Bool: true}},
		{"U8", 255.0, target{U8: 255}},
		{"U64", 9007199254740992.0, target{U64: 1 << 53}},
		{"Int", -3.0, target{Int: -3}},
		{"Float", 0.5, target{Float: 0.5}},
		{"String", "x", target{String: "x"}},
		{"Bytes", "x", target{Bytes: []byte("x")}},
		{"IP", "::1", target{IP: addr}},
		{"Endpoint", "[::1]:80", target{Endpoint: netip.AddrPortFrom(addr, 80)}},
		{"Time", 1.5, target{Time: 15e8}},
		{"Duration", "1m30s", target{Duration: 90 * time.Second}},
		{"Duration", 0.25, target{Duration: 250 * time.Millisecond}},
		{"Size", "64KiB", target{Size: 65536}},
		{"Size", 3.0, target{Size: 3}},
		{"Word", "red", target{Word: 1}},
		{"Strings", []any{"a", "b"}, target{Strings: []string{"a", "b"}}},
		{"Strings", []event.KV{}, target{Strings: []string{}}},
		{"Any", "x", target{Any: "x"}},
		{"Any", nil, target{}},
	} {
		var got target
		err := got.set(test.place, test.value)
		compare := cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
		comparePort := cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })
		if diff := cmp.Diff(test.want, got, compare, comparePort); diff != "" || err != nil {
			t.Errorf("%s = %v: %v %s", test.place, test.value, err, diff)
		}
	}
}

func TestSetRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		place string
		value any
		want  string
	}{
		{"Bool", nil, "boolean expected, got nil"},
		{"U8", 256.0, "0 to 255 expected, got 256"},
		{"U8", "1", `number expected, got "1"`},
		{"U8", math.NaN(), "integer expected, got NaN"},
		{"U64", -1.0, "0 to 9007199254740992 expected, got -1"},
		{"Int", 1e300, "-9007199254740992 to 9007199254740992 expected, got 1e+300"},
		{"Int", true, "number expected, got true"},
		{"Float", []any{}, "number expected, got a table"},
		{"String", 1.0, "string expected, got 1"},
		{"Bytes", nil, "string expected, got nil"},
		{"IP", "10.0.0", `address such as "192.0.2.1" expected, got "10.0.0"`},
		{"IP", 1.0, `address such as "192.0.2.1" expected, got 1`},
		{"Endpoint", "10.0.0.1", `endpoint such as "192.0.2.1:80" expected, got "10.0.0.1"`},
		{"Endpoint", nil, `endpoint such as "192.0.2.1:80" expected, got nil`},
		{"Time", "x", `time in seconds expected, got "x"`},
		{"Time", math.Inf(1), "duration in seconds expected, got +Inf"},
		{"Duration", strings.Repeat("x", 90), `duration such as "10s" expected, got "` + strings.Repeat("x", 40) + `…"`},
		{"Duration", "xd", `duration such as "10s" expected, got "xd"`},
		{"Duration", "1e30d", "duration in seconds expected, got 8.64e+34"},
		{"Duration", nil, `duration such as "10s" expected, got nil`},
		{"Size", "1KB", `size such as "64KiB" expected, got "1KB"`},
		{"Size", "-1B", `size such as "64KiB" expected, got "-1B"`},
		{"Size", "0x10", `size such as "64KiB" expected, got "0x10"`},
		{"Size", "NaN", `size such as "64KiB" expected, got "NaN"`},
		{"Size", "", `size such as "64KiB" expected, got ""`},
		{"Size", "99999999TiB", `size such as "64KiB" expected, got "99999999TiB"`},
		{"Word", "blue", `none, red expected, got "blue"`},
		{"Word", nil, "string expected, got nil"},
		{"Strings", []any{"a", 1.0}, "list of strings expected, got 1"},
		{"Strings", "a", `list of strings expected, got "a"`},
		{"Object", "x", `flow.conn expected, got "x"`},
		{"Any", 7, "plain value expected, got int"},
	} {
		var got target
		err := got.set(test.place, test.value)
		if err == nil || err.Error() != test.want {
			t.Errorf("%s = %v: got %v, want %s", test.place, test.value, err, test.want)
		}
	}
}

// What is accepted as a size or duration is one: no panic, nothing negative or
// beyond exact numbers.
func FuzzSizeAndDuration(f *testing.F) {
	for _, seed := range []string{"64KiB", "1.5MB", "10", "300ms", "7d", "1e9d", "-1h", "NaN", "infd", "1_000", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if n, err := plain.Size(text); err == nil && (n < 0 || n > plain.MaxExact) {
			t.Errorf("size %q is %d", text, n)
		}
		if d, err := plain.Duration(text); err == nil && strings.HasPrefix(text, "-") && d > 0 {
			t.Errorf("duration %q is %v", text, d)
		}
	})
}
