package match

import (
	"fmt"
	"math/rand/v2"
	"net/netip"

	"github.com/hookd/hookd/engine/event"
)

// thing has a field of every kind. Reads of a nil thing must not happen: the
// getters below would panic.
type thing struct {
	Flag     bool
	U8       uint8
	U16      uint16
	U32      uint32
	U64      uint64
	I16      int16
	I64      int64
	F        float64
	Text     string
	Raw      []byte
	IP       netip.Addr
	EP       netip.AddrPort
	When     int64
	Took     int64
	Size     int64
	Word     uint64 // of smallWords
	Big      uint64 // of bigWords
	Tags     []string
	Sub      *thing
	Maybe    uint16
	HasMaybe bool
}

// sample is the event: a subject, another argument that may be nil, and fields
// of its own. U16 is a field of the subject, too, which goes first.
type sample struct {
	S, O   *thing
	Reason uint64
	N      uint32
	U16    uint16
}

func smallWords() []string { return []string{"none", "fin", "rst", "reset", "idle"} }

func bigWords() []string {
	list := make([]string, 130)
	for i := range list {
		list[i] = fmt.Sprintf("word%d", i)
	}
	return list
}

// ref keeps a nil thing from becoming an object that is not nil.
func ref(t *thing) any {
	if t == nil {
		return nil
	}
	return t
}

func thingObject() *event.Object {
	num := func(name string, bits uint8, get func(*thing) uint64) event.Field {
		return event.Field{
			Name: name, Type: event.Type{Kind: event.Uint, Bits: bits},
			Get: event.Getter{Uint: func(o any) uint64 { return get(o.(*thing)) }},
		}
	}
	signed := func(name string, kind event.Kind, bits uint8, get func(*thing) int64) event.Field {
		return event.Field{
			Name: name, Type: event.Type{Kind: kind, Bits: bits},
			Get: event.Getter{Int: func(o any) int64 { return get(o.(*thing)) }},
		}
	}
	maybe := num("maybe", 16, func(t *thing) uint64 { return uint64(t.Maybe) })
	maybe.Optional, maybe.Get.Present = true, func(o any) bool { return o.(*thing).HasMaybe }
	return &event.Object{
		Name: "sample.thing",
		Fields: []event.Field{
			{Name: "flag", Type: event.Type{Kind: event.Bool}, Get: event.Getter{Bool: func(o any) bool { return o.(*thing).Flag }}},
			num("u8", 8, func(t *thing) uint64 { return uint64(t.U8) }),
			num("u16", 16, func(t *thing) uint64 { return uint64(t.U16) }),
			num("u32", 32, func(t *thing) uint64 { return uint64(t.U32) }),
			num("u64", 64, func(t *thing) uint64 { return t.U64 }),
			signed("i16", event.Int, 16, func(t *thing) int64 { return int64(t.I16) }),
			signed("i64", event.Int, 64, func(t *thing) int64 { return t.I64 }),
			{Name: "f", Type: event.Type{Kind: event.Float}, Get: event.Getter{Float: func(o any) float64 { return o.(*thing).F }}},
			{Name: "text", Type: event.Type{Kind: event.String}, Cost: event.Cheap, Get: event.Getter{String: func(o any) string { return o.(*thing).Text }}},
			{Name: "raw", Type: event.Type{Kind: event.Bytes}, Cost: event.Copy, Get: event.Getter{Bytes: func(o any) []byte { return o.(*thing).Raw }}},
			{Name: "ip", Type: event.Type{Kind: event.IP}, Get: event.Getter{IP: func(o any) netip.Addr { return o.(*thing).IP }}},
			{Name: "ep", Type: event.Type{Kind: event.Endpoint}, Get: event.Getter{Endpoint: func(o any) netip.AddrPort { return o.(*thing).EP }}},
			signed("when", event.Time, 0, func(t *thing) int64 { return t.When }),
			signed("took", event.Duration, 0, func(t *thing) int64 { return t.Took }),
			signed("size", event.Size, 0, func(t *thing) int64 { return t.Size }),
			{Name: "word", Type: event.Type{Kind: event.Enum, Names: smallWords()}, Get: event.Getter{Uint: func(o any) uint64 { return o.(*thing).Word }}},
			{Name: "big", Type: event.Type{Kind: event.Enum, Names: bigWords()}, Get: event.Getter{Uint: func(o any) uint64 { return o.(*thing).Big }}},
			{Name: "tags", Type: event.Type{Kind: event.Strings}, Cost: event.Copy, Get: event.Getter{Strings: func(o any) []string { return o.(*thing).Tags }}},
			{Name: "sub", Type: event.Type{Kind: event.ObjectRef, Object: "sample.thing"}, Optional: true, Get: event.Getter{Object: func(o any) any { return ref(o.(*thing).Sub) }}},
			{
				Name: "other", Type: event.Type{Kind: event.ObjectRef, Object: "sample.thing"}, Optional: true,
				Get: event.Getter{
					Object:  func(o any) any { return o.(*thing).Sub },
					Present: func(o any) bool { return o.(*thing).Sub != nil },
				},
			},
			maybe,
			{Name: "data", Type: event.Type{Kind: event.Record}},
			{Name: "lost", Type: event.Type{Kind: event.ObjectRef, Object: "sample.unknown"}, Get: event.Getter{Object: func(any) any { return nil }}},
		},
		Methods: []event.Method{{Name: "poke"}},
	}
}

func sampleInfo() *event.Info {
	object := func(name string, get func(*sample) *thing) event.Field {
		return event.Field{
			Name: name, Type: event.Type{Kind: event.ObjectRef, Object: "sample.thing"}, Optional: name == "o",
			Get: event.Getter{Object: func(e any) any { return ref(get(e.(*sample))) }},
		}
	}
	return &event.Info{
		Family: "sample", Name: "sample.ping", Args: []string{"s", "o"},
		Fields: []event.Field{
			object("s", func(e *sample) *thing { return e.S }),
			object("o", func(e *sample) *thing { return e.O }),
			{Name: "reason", Type: event.Type{Kind: event.Enum, Names: smallWords()}, Get: event.Getter{Uint: func(e any) uint64 { return e.(*sample).Reason }}},
			{Name: "n", Type: event.Type{Kind: event.Uint, Bits: 32}, Get: event.Getter{Uint: func(e any) uint64 { return uint64(e.(*sample).N) }}},
			{Name: "u16", Type: event.Type{Kind: event.Uint, Bits: 16}, Get: event.Getter{Uint: func(e any) uint64 { return uint64(e.(*sample).U16) }}},
		},
	}
}

// objects is a catalogue of one object.
type objects struct{ thing *event.Object }

func (o objects) Object(name string) *event.Object {
	if name == o.thing.Name {
		return o.thing
	}
	return nil
}

// The values that random events have and random conditions name: few, so that
// they meet, and at the edges of their types.
func someUints() []uint64 {
	return []uint64{0, 1, 2, 79, 80, 81, 255, 256, 65535, 65536, 1 << 31, 1<<32 - 1, 1 << 53, 1<<53 + 1, 1<<64 - 1}
}

func someInts() []int64 {
	return []int64{-1 << 63, -1 << 53, -32768, -32767, -2, -1, 0, 1, 2, 100, 32767, 1 << 40, 1 << 53, 1<<63 - 1}
}

func someTexts() []string {
	return []string{"", "a", "ab", "abc", "abcabc", "b", "bc", "INVITE", "00900123", "00900", "x*y", "[", "\xff\x00", "lossy", "80"}
}

func someAddrs() []string {
	return []string{"0.0.0.0", "10.0.0.1", "10.0.0.2", "10.1.2.3", "192.168.1.1", "255.255.255.255", "::", "::1", "2001:db8::5", "fe80::1", "::ffff:10.0.0.1"}
}

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

func randomThing(r *rand.Rand, depth int) *thing {
	if depth > 3 || r.IntN(5) == 0 {
		return nil
	}
	t := &thing{
		Flag: r.IntN(2) == 0,
		U8:   uint8(pick(r, someUints())), U16: uint16(pick(r, someUints())), U32: uint32(pick(r, someUints())), U64: pick(r, someUints()),
		I16: int16(pick(r, someInts())), I64: pick(r, someInts()),
		F:    pick(r, []float64{-1.5, 0, 0.1, 1, 2.5, 80}),
		Text: pick(r, someTexts()), Raw: []byte(pick(r, someTexts())),
		IP:   netip.MustParseAddr(pick(r, someAddrs())),
		EP:   netip.AddrPortFrom(netip.MustParseAddr(pick(r, someAddrs())), uint16(pick(r, []int{0, 80, 5060}))),
		When: int64(r.IntN(4)) * 5e8, Took: int64(r.IntN(4)) * 5e8, Size: pick(r, []int64{0, 512, 65536, 1e6}),
		Word: uint64(r.IntN(5)), Big: uint64(r.IntN(130)),
		Sub:   randomThing(r, depth+1),
		Maybe: uint16(pick(r, someUints())), HasMaybe: r.IntN(2) == 0,
	}
	for range r.IntN(3) {
		t.Tags = append(t.Tags, pick(r, someTexts()))
	}
	if r.IntN(8) == 0 {
		t.IP, t.EP = netip.Addr{}, netip.AddrPort{}
	}
	return t
}

func randomSample(r *rand.Rand) *sample {
	return &sample{
		S: randomThing(r, 0), O: randomThing(r, 0),
		Reason: uint64(r.IntN(5)), N: uint32(pick(r, someUints())), U16: uint16(pick(r, someUints())),
	}
}
