package strlib

import (
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"
)

const request = "INVITE sip:00900123456@192.0.2.10 SIP/2.0\r\n" +
	"Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK776asdhds;rport\r\n" +
	"To: <sip:00900123456@192.0.2.10>\r\nFrom: \"100\" <sip:100@192.0.2.10>;tag=1928301774\r\n" +
	"Call-ID: a84b4c76e66710@198.51.100.7\r\nCSeq: 314159 INVITE\r\n" +
	"Contact: <sip:100@198.51.100.7:5060>\r\nUser-Agent: friendly-scanner\r\nContent-Length: 0\r\n\r\n"

// callMethod calls a function of string and drops the result.
func callMethod(tb testing.TB, L *lua.LState, fn lua.LValue, args ...lua.LValue) {
	if err := L.CallByParam(lua.P{Fn: fn, NRet: 1, Protect: true}, args...); err != nil {
		tb.Fatal(err)
	}
	L.Pop(1)
}

func TestSearchAllocatesNothing(t *testing.T) {
	L := newState(t, &Limits{Steps: func(int) error { return nil }})
	find, byteAt := L.GetField(L.GetGlobal("string"), "find"), L.GetField(L.GetGlobal("string"), "byte")
	s := lua.LValue(lua.LString(request))
	patterns := []lua.LValue{lua.LString("friendly"), lua.LString("%d+ INVITE"), lua.LString("Via:.-branch"), lua.LString("none%d")}
	five := lua.LValue(lua.LNumber(5))
	allocs := testing.AllocsPerRun(200, func() {
		for _, p := range patterns {
			callMethod(t, L, find, s, p)
		}
		callMethod(t, L, byteAt, s, five)
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

func BenchmarkString(b *testing.B) {
	s := lua.LValue(lua.LString(request))
	str := func(v string) lua.LValue { return lua.LString(v) }
	for _, bm := range []struct {
		name, fn string
		args     []lua.LValue
	}{
		{"find-plain", "find", []lua.LValue{s, str("friendly-scanner"), lua.LNumber(1), lua.LTrue}},
		{"find-pattern", "find", []lua.LValue{s, str("%d+ INVITE")}},
		{"match-header", "match", []lua.LValue{s, str("User%-Agent:%s*(.-)\r\n")}},
		{"match-anchored", "match", []lua.LValue{s, str("^(%u+) (%S+)")}},
		{"gsub-digits", "gsub", []lua.LValue{s, str("%d+"), str("#")}},
		{"format", "format", []lua.LValue{str("%s:%d %5.2f"), str("10.0.0.1"), lua.LNumber(5060), lua.LNumber(3.14159)}},
		{"sub", "sub", []lua.LValue{s, lua.LNumber(1), lua.LNumber(6)}},
		{"lower", "lower", []lua.LValue{s}},
		{"rep", "rep", []lua.LValue{str("x"), lua.LNumber(64)}},
	} {
		b.Run(bm.name, func(b *testing.B) {
			L := newState(b, &Limits{Steps: func(int) error { return nil }})
			fn := L.GetField(L.GetGlobal("string"), bm.fn)
			b.ReportAllocs()
			for b.Loop() {
				callMethod(b, L, fn, bm.args...)
			}
		})
	}
}

func BenchmarkNumberString(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		NumberString(5060)
		NumberString(0.1)
	}
}

func BenchmarkParseNumber(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		ParseNumber("5060")
		ParseNumber("0x13c4")
		ParseNumber("3.25")
	}
}

func BenchmarkConcat1000(b *testing.B) {
	L := newState(b, nil)
	t := L.NewTable()
	for range 1000 {
		t.Append(lua.LString(strings.Repeat("x", 10)))
	}
	fn := L.GetField(L.GetGlobal("table"), "concat")
	b.ReportAllocs()
	for b.Loop() {
		if err := L.CallByParam(lua.P{Fn: fn, NRet: 1, Protect: true}, t, lua.LString(",")); err != nil {
			b.Fatal(err)
		}
		L.Pop(1)
	}
}
