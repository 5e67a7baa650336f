package engine_test

import (
	"fmt"
	"testing"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event/catalogue"
	"github.com/hookd/hookd/engine/event/flowev"
)

// benchBound returns an engine whose script has a handler "named", and what
// binds it to a connection.
func benchBound(b *testing.B) (e *engine.Engine, bind func(list []*conn)) {
	var script binder
	e = engine.New(engine.Config{Catalogue: catalogue.New(catalogue.All()...)})
	b.Cleanup(e.Close)
	e.Use(fakeRuntime{"a.lua": script.script("named"), "b.lua": func(*fakeVM) {}})
	if _, diags := e.Apply([]engine.Source{{Path: "a.lua"}, {Path: "b.lua"}}); diags.HasErrors() {
		b.Fatal(diags)
	}
	e.Start(1)
	return e, func(list []*conn) {
		script.act = func(call *engine.Call) {
			for _, c := range list {
				at := &engine.Attachment{Object: c, Type: "flow.conn"}
				if err := script.vm.env.Services.Bind(call, at, "flow.new_data", &engine.Handler{Name: "named"}); err != nil {
					b.Fatal(err)
				}
			}
		}
		s := e.Shard(0)
		s.Enter()
		flowev.OnConnStartSnd.Emit(s, &flowev.ConnStart{C: list[0]})
		s.Leave()
	}
}

// conns makes connections.
func conns(n int) []*conn {
	list := make([]*conn, n)
	for i := range list {
		list[i] = &conn{id: uint64(i + 1)}
	}
	return list
}

func BenchmarkBind(b *testing.B) {
	_, bind := benchBound(b)
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		list := conns(1000)
		b.StartTimer()
		bind(list)
		for _, c := range list {
			c.ended = true
			c.slots.End()
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/binding")
}

func BenchmarkPublishWithBindings(b *testing.B) {
	e, bind := benchBound(b)
	bind(conns(100_000))
	version := 0
	for b.Loop() {
		version++
		if _, diags := e.Apply([]engine.Source{{Path: "a.lua", Text: []byte(fmt.Sprint(version))}, {Path: "b.lua"}}); diags.HasErrors() {
			b.Fatal(diags)
		}
	}
}
