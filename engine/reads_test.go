package engine

import "testing"

func TestReadsMay(t *testing.T) {
	t.Parallel()
	field := func(owner, name string) *Reads {
		r := &Reads{}
		r.Field(owner, name)
		return r
	}
	name := func(n string) *Reads {
		r := &Reads{}
		r.Name(n)
		return r
	}
	for _, tt := range []struct {
		what  string
		reads *Reads
		want  bool
	}{
		{"nothing", &Reads{}, false},
		{"the field", field("flow.peer", "sent"), true},
		{"another field", field("flow.peer", "port"), false},
		{"that field of another", field("flow.conn", "sent"), false},
		{"every field", field("flow.peer", AnyField), true},
		{"every field of another", field("flow.conn", AnyField), false},
		{"the name", name("sent"), true},
		{"another name", name("port"), false},
		{"made-up names, of no object", &Reads{Computed: true}, false},
		{"objects, by other names", &Reads{Escapes: true}, false},
		{"made-up names of what may be an object", &Reads{Computed: true, Escapes: true}, true},
	} {
		all := &Reads{}
		all.merge(field("flow.conn", "id"))
		all.merge(tt.reads)
		if got := all.May("flow.peer.sent"); got != tt.want {
			t.Errorf("%s: %t, want %t", tt.what, got, tt.want)
		}
	}
	var all Reads
	all.merge(&Reads{Computed: true})
	all.merge(&Reads{Escapes: true})
	if !all.May("flow.peer.sent") {
		t.Error("scripts hand each other objects")
	}
	if all.read(struct{}{}) {
		t.Error("what is no Reader is known")
	}
}
