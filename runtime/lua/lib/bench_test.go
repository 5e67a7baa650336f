package lib_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	lua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/runtime/lua/lib/strlib"
	"github.com/hookd/hookd/spec/cputime"
)

// message is what a call of a protocol in JSON looks like.
const message = `{"jsonrpc":"2.0","id":17,"method":"call.start","params":{"from":"sip:alice@example.net","to":"sip:bob@example.net","codecs":["opus","pcma","pcmu"],"bandwidth":64000,"emergency":false}}`

func BenchmarkJSON(b *testing.B) {
	L := state(b, &strlib.Limits{Steps: func(int) error { return nil }})
	value := call(b, L, "json.decode", lua.LString(message))[0]
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			call(b, L, "json.decode", lua.LString(message))
		}
	})
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			call(b, L, "json.encode", value)
		}
	})
}

func BenchmarkStruct(b *testing.B) {
	L := state(b, &strlib.Limits{Steps: func(int) error { return nil }})
	data := call(b, L, "struct.pack", lua.LString(">BHHI4"), lua.LNumber(22), lua.LNumber(0x303), lua.LNumber(512), lua.LNumber(7))[0]
	b.ReportAllocs()
	for b.Loop() {
		call(b, L, "struct.unpack", lua.LString(">BHHI4"), data)
	}
}

// TestBudgetsAreTime checks that the budget of a handler, which is counted in
// steps of about a nanosecond, ends each dear call in a few milliseconds.
func TestBudgetsAreTime(t *testing.T) {
	const budget = 1_600_000 // 200,000 instructions
	mib := strings.Repeat("x", 1<<20)
	for _, tt := range []struct {
		name string
		args []lua.LValue
	}{
		{"json.decode", []lua.LValue{lua.LString("[" + strings.Repeat("[],", 1<<18) + "1]")}},
		{"json.decode", []lua.LValue{lua.LString("[" + strings.Repeat(`{"a":1},`, 1<<16) + "1]")}},
		{"json.decode", []lua.LValue{lua.LString(`{"` + mib[:1<<19] + `":"` + mib[:1<<18] + `"}`)}},
		{"json.decode", []lua.LValue{lua.LString(`["` + strings.Repeat(`\u00e4`, 1<<17) + `"]`)}},
		{"hash.sha512", []lua.LValue{lua.LString(mib)}},
		{"hash.md5", []lua.LValue{lua.LString(mib)}},
		{"base64.encode", []lua.LValue{lua.LString(mib[:700_000])}},
		{"url.query", []lua.LValue{lua.LString(strings.Repeat("a=%20&", 1<<17))}},
		{"utf8.len", []lua.LValue{lua.LString(mib)}},
		{"struct.unpack", []lua.LValue{lua.LString(strings.Repeat("B ", 1<<16)), lua.LString(mib)}},
	} {
		best := time.Hour
		for range 3 {
			left := budget
			L := state(t, &strlib.Limits{Steps: func(n int) error {
				if left -= n; left < 0 {
					return errors.New("budget used up")
				}
				return nil
			}})
			best = min(best, cputime.Of(func() { call(t, L, tt.name, tt.args...) }))
		}
		t.Logf("%s: %v", tt.name, best)
		// Five times what is promised of a handler: the machine may be busy.
		if most := 25 * time.Millisecond; best > most && !raceEnabled {
			t.Errorf("%s ran for %v, want at most %v", tt.name, best, most)
		}
	}
}
