package capture

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"testing"
)

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func TestPcapngBlocks(t *testing.T) {
	t.Parallel()
	for _, order := range []binary.AppendByteOrder{little, big} {
		t.Run(fmt.Sprint(order), func(t *testing.T) {
			t.Parallel()
			other := map[binary.AppendByteOrder]binary.AppendByteOrder{little: big, big: little}[order]
			file := join(
				section(order),
				block(order, 0xbad, "a custom block, skipped"),
				iface(order, LinkTypeEthernet, 4, option(order, 2, "eth0"), option(order, 0)),
				iface(order, LinkTypeRaw, 0, option(order, ngOptionTSResol, uint8(9)), option(order, ngOptionTSOffset, uint64(100))),
				enhanced(order, 0, 1_500_000, 1500, "hello"),
				block(order, 5, 0, 0, 0), // interface statistics
				enhanced(order, 1, 7, 3, "raw"),
				block(order, ngSimplePacket, 9, "four"),
				block(order, ngObsoletePacket, uint16(1), uint16(3), 0, 8, 2, 2, "pb", option(order, 1, "with a comment")),
				section(other), // the interfaces begin again
				iface(other, LinkTypeLinuxSLL2, 0),
				enhanced(other, 0, 1, 0, ""),
			)
			wantFrames(t, file, []Frame{
				{Data: []byte("hello"), WireLen: 1500, TS: 1.5e9, Link: LinkTypeEthernet},
				{Data: []byte("raw"), WireLen: 3, TS: 100e9 + 7, Link: LinkTypeRaw, Iface: 1},
				{Data: []byte("four"), WireLen: 9, Link: LinkTypeEthernet},
				{Data: []byte("pb"), WireLen: 2, TS: 100e9 + 8, Link: LinkTypeRaw, Iface: 1},
				{Data: []byte{}, TS: 1000, Link: LinkTypeLinuxSLL2},
			}, "")
		})
	}
}

func TestPcapngClock(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		resolution byte
		offset     int64
		ts         uint64
		want       int64
	}{
		{6, 0, 1_700_000_000_123_456, 1_700_000_000_123_456_000},
		{9, 0, 1_700_000_000_123_456_789, 1_700_000_000_123_456_789},
		{0, 0, 1_700_000_000, 1_700_000_000e9},
		{3, 0, 1_700_000_000_123, 1_700_000_000_123e6},
		{12, 0, 1_700_000_123_456_789_012, 1_700_000_123_456_789},
		{28, 0, math.MaxUint64, 1},
		{29, 0, math.MaxUint64, 0},
		{127, 0, math.MaxUint64, 0},
		{0x80, 0, 5, 5e9},
		{0x80 | 1, 0, 3, 1.5e9},
		{0x80 | 10, 0, 1_700_000_000<<10 | 512, 1_700_000_000_500_000_000},
		{0x80 | 32, 0, 1_700_000_000<<32 | 1<<31, 1_700_000_000_500_000_000},
		{0x80 | 30, 0, 1, 0}, // 0.93 ns
		{0x80 | 63, 0, 1 << 63, 1e9},
		{0x80 | 64, 0, 1 << 63, 5e8},
		{0x80 | 65, 0, 1 << 63, 25e7},
		{0x80 | 127, 0, math.MaxUint64, 0},
		{6, 1_000, 1, 1_000e9 + 1000},
		{6, -1_000, 1_000_000, -999e9},
		{0, 0, math.MaxUint64, math.MaxInt64},
		{6, 0, math.MaxUint64, math.MaxInt64},
		{9, 0, 1 << 63, math.MaxInt64},
		{6, math.MaxInt64, 1, math.MaxInt64},
		{6, math.MinInt64, 0, math.MinInt64},
	} {
		c := newClock(tc.resolution, tc.offset)
		if got := c.nanos(tc.ts); got != tc.want {
			t.Errorf("resolution %#x, offset %d: %d is %d ns, want %d", tc.resolution, tc.offset, tc.ts, got, tc.want)
		}
	}
}

func TestPcapngDamage(t *testing.T) {
	t.Parallel()
	head := join(section(little), iface(little, LinkTypeEthernet, 0)) // 28 + 20 bytes
	good := enhanced(little, 0, 1, 2, "ab")                           // 36 bytes
	frame := []Frame{{Data: []byte("ab"), WireLen: 2, TS: 1000, Link: LinkTypeEthernet}}
	for _, tc := range []struct {
		name  string
		bad   []byte
		fault string
	}{
		{"length 0", words(little, 6, 0, 0), "offset 84: pcapng block: its length 0 is not a multiple of 4 from 12 up"},
		{"odd length", words(little, 6, 33, 0), "offset 84: pcapng block: its length 33 is not a multiple of 4 from 12 up"},
		{"half a block header", good[:11], "offset 84: block header cut short: the stream ends after 11 of its bytes"},
		{"half a block", good[:35], "offset 84: block cut short: the stream ends after 35 of its bytes"},
		{"large block", words(little, 6, 1<<20+4, 0), "offset 84: pcapng block: its length 1048580 is over the limit of 1048576"},
		{"skipped past the end", words(little, 77, 0xfffffffc, 0), "offset 84: block cut short: the stream ends after 12 of its bytes"},
		{"tail", words(little, 6, 12, 16), "offset 84: pcapng block: it has length 12 before and 16 after it"},
		{"tail of a skipped block", words(little, 77, 16, 0, 20), "offset 84: pcapng block: it has length 16 before and 20 after it"},
		{"small packet block", block(little, 6, 0), "offset 84: pcapng block: a packet block has 4 bytes, not 20"},
		{"small obsolete block", block(little, 2, 0), "offset 84: pcapng block: a packet block has 4 bytes, not 20"},
		{"small simple block", block(little, 3), "offset 84: pcapng block: a simple packet block has 0 bytes, not 4"},
		{"no such interface", enhanced(little, 1, 0, 0, ""), "offset 84: pcapng block: a packet is from interface 1, the section describes 1"},
		{"negative interface", enhanced(little, -1, 0, 0, ""), "offset 84: pcapng block: a packet is from interface 4294967295, the section describes 1"},
		{"captured over block", block(little, 6, 0, 0, 0, 9, 9, "eight by"), "offset 84: pcapng block: a packet claims 9 captured bytes, its block has 8"},
		{"captured over limit", block(little, 6, 0, 0, 0, MaxFrame+1, 9), "offset 84: a record claims 262145 captured bytes, the limit is 262144"},
		{"simple over block", block(little, 3, 9, "eight by"), "offset 84: pcapng block: a packet has 9 captured bytes, its block has 8"},
		{"simple over limit", block(little, 3, MaxFrame+1), "offset 84: a record claims 262145 captured bytes, the limit is 262144"},
		{"simple before interface", join(section(little), block(little, 3, 0)), "offset 112: pcapng block: a packet before any interface description"},
		{"section version", block(little, ngSectionHeader, ngByteOrder, uint16(2), uint16(0), uint64(0)), "offset 84: pcapng block: version 2.0 is not supported, only 1.0"},
		{"small section", block(little, ngSectionHeader, ngByteOrder), "offset 84: pcapng block: a section header has 4 bytes, not 16"},
		{"byte order", words(little, ngSectionHeader, 28, 0x11223344), "offset 84: pcapng block: a section's byte order mark is 44332211"},
		{"small interface", block(little, 1, 0), "offset 84: pcapng block: an interface description has 4 bytes, not 8"},
		{"long option", iface(little, 1, 0, words(little, uint16(2), uint16(9), 0)), "offset 84: pcapng block: option 2 claims 9 bytes, 4 are left"},
		{"resolution", iface(little, 1, 0, option(little, ngOptionTSResol)), "offset 84: pcapng block: option 9 of an interface has 0 bytes"},
		{"time offset", iface(little, 1, 0, option(little, ngOptionTSOffset, 1)), "offset 84: pcapng block: option 14 of an interface has 4 bytes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			wantFrames(t, join(head, good, tc.bad), frame, tc.fault)
		})
	}
}

func TestPcapngSectionVersion(t *testing.T) {
	t.Parallel()
	file := join(
		block(big, ngSectionHeader, ngByteOrder, uint16(1), uint16(2), uint64(0)),
		iface(big, LinkTypeRaw, 0), enhanced(big, 0, 0, 1, "x"))
	wantFrames(t, file, []Frame{{Data: []byte("x"), WireLen: 1, Link: LinkTypeRaw}}, "")
}

func TestPcapngInterfaceLimit(t *testing.T) {
	t.Parallel()
	one := iface(little, LinkTypeRaw, 0)
	file := join(section(little), bytes.Repeat(one, MaxInterfaces), enhanced(little, MaxInterfaces-1, 0, 1, "x"), one)
	want := []Frame{{Data: []byte("x"), WireLen: 1, Link: LinkTypeRaw, Iface: MaxInterfaces - 1}}
	wantFrames(t, file, want, fmt.Sprintf("offset %d: pcapng block: more than 65536 interfaces in a section", len(file)-len(one)))
}

func TestPcapngLongSkips(t *testing.T) {
	t.Parallel()
	file := join(section(little), iface(little, LinkTypeRaw, 0),
		block(little, 0xbad, make([]byte, 3*firstWindow)), enhanced(little, 0, 0, 1, "x"),
		block(little, 0xbad, make([]byte, firstWindow)), block(little, 0xbad), enhanced(little, 0, 0, 1, "y"))
	wantFrames(t, file, []Frame{
		{Data: []byte("x"), WireLen: 1, Link: LinkTypeRaw},
		{Data: []byte("y"), WireLen: 1, Link: LinkTypeRaw},
	}, "")
}
