package lua

import (
	"testing"

	glua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/runtime/lua/vm"
	"time"
)

func TestZZ(t *testing.T) {
	const calls, rounds = 10_000, 150
	mk := func(src string, nargs, nret int) func() {
		v := vm.New(vm.Config{Chunk: "x"})
		v.Settle()
		L := v.State()
		f, err := L.LoadString(src)
		if err != nil { t.Fatal(err) }
		main := v.BeginIf(false, 1000, "x")
		main.Push(f)
		if err := v.Call(0, 1); err != nil { t.Fatal(err) }
		fn := v.Result(1)
		v.End()
		vals := []glua.LValue{glua.LNumber(17), glua.LNumber(0), glua.LNumber(60), glua.LNumber(64), glua.LNumber(40000)}
		return func() {
			L := v.BeginIf(false, 1000, "x")
			L.Push(fn)
			for _, x := range vals[:nargs] { L.Push(x) }
			if err := v.Call(nargs, nret); err != nil { t.Fatal(err) }
			if nret > 0 { v.Result(1); v.End() }
		}
	}
	costs := []*cost{{name: "protected call", run: protectedCall(t)}}
	for _, tt := range []struct{ name, src string }{
		{"native miss", nativeMiss}, {"empty handler", emptyHandler}, {"five", fiveFields}, {"fivelocals", fiveLocals},
	} {
		_, emit, done := emitting(t, tt.src)
		defer done()
		costs = append(costs, &cost{name: tt.name, run: emit})
	}
	costs = append(costs, &cost{name: "vm sum 1", run: mk("local n return function(a,b,c,d,e) n=a+b+c+d+e end", 5, 1)})
	costs = append(costs, &cost{name: "vm sum 0", run: mk("local n return function(a,b,c,d,e) n=a+b+c+d+e end", 5, 0)})
	costs = append(costs, &cost{name: "vm 5 args n=a 0", run: mk("local n return function(a,b,c,d,e) n=a end", 5, 0)})
	costs = append(costs, &cost{name: "vm empty 1", run: mk("local n return function(a,b,c,d,e) n=1 end", 0, 1)})
	costs = append(costs, &cost{name: "vm empty 0", run: mk("local n return function(a,b,c,d,e) n=1 end", 0, 0)})
	for range rounds {
		for _, c := range costs {
			begin := time.Now()
			for range calls { c.run() }
			if took := time.Since(begin); c.best == 0 || took < c.best { c.best = took }
		}
	}
	for _, c := range costs {
		t.Logf("%-18s %.1f ns, %.2f", c.name, float64(c.best.Nanoseconds())/calls, float64(c.best)/float64(costs[0].best))
	}
}

const fiveLocals = `local last rule "five" { on = flow.conn_start, run = function(c, pkt)
   local ip, port, len, flags, ttl = c.client.port, c.server.port, pkt.len, c.vlan, pkt.ttl
   last = ip
end }`
