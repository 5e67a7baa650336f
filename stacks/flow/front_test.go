package flow

import (
	"reflect"
	"testing"

	"github.com/hookd/hookd/stacks/flow/packet"
)

// TestStatsAdd checks that no counter is left out of the sum over stacks.
func TestStatsAdd(t *testing.T) {
	t.Parallel()
	ofAll := map[string]bool{"Held": true, "Peak": true, "Kept": true, "Fragments": true, "Blocks": true}
	var one, sum Stats
	v := reflect.ValueOf(&one).Elem()
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.Uint64:
			f.SetUint(uint64(i + 1))
		case reflect.Int:
			f.SetInt(int64(i + 1))
		}
	}
	sum.add(&one)
	sum.add(&one)
	got := reflect.ValueOf(sum)
	for i := range v.NumField() {
		name, want := v.Type().Field(i).Name, 2*(i+1)
		if ofAll[name] {
			continue
		}
		if f := got.Field(i); f.Kind() == reflect.Uint64 && f.Uint() != uint64(want) || f.CanInt() && f.Int() != int64(want) {
			t.Errorf("%s: %v, not %d", name, f, want)
		}
	}
}

// TestSpread checks that both directions of a connection go to one stack, that what
// is not part of its identity does not count, and that connections spread evenly.
func TestSpread(t *testing.T) {
	t.Parallel()
	const stacks, conns = 7, 70_000
	counts := [stacks]int{}
	for i := range conns {
		p := packet.Packet{IPVersion: 4, SrcPort: uint16(1024 + i%60_000), DstPort: 80}
		p.Src[0], p.Src[1], p.Src[3] = 10, byte(i>>16), byte(i%250)
		p.Dst[0], p.Dst[3] = 10, 1
		there, _ := keyOf(&p)
		p.Src, p.Dst, p.SrcPort, p.DstPort, p.Proto = p.Dst, p.Src, p.DstPort, p.SrcPort, protoUDP
		back, _ := exchangeKey(&p, query{})
		if there.spread() != back.spread() {
			t.Fatalf("connection %d: %x there, %x back", i, there.spread(), back.spread())
		}
		counts[there.spread()%stacks]++
	}
	for i, n := range counts {
		if n < conns/stacks*9/10 || n > conns/stacks*11/10 {
			t.Errorf("stack %d has %d of %d", i, n, conns)
		}
	}
}
