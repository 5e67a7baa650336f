package capture

import (
	"strings"
	"testing"
)

func snoopFile(link int, records ...[]byte) []byte {
	return words(big, snoopMagic, 2, link, join(records...))
}

// snoopRecord makes a record of data, padded as RFC 1761 says.
func snoopRecord(wire, sec, micros int, data string) []byte {
	pad := -len(data) & 3
	return words(big, wire, len(data), snoopRecordLen+len(data)+pad, 7, sec, micros, data, strings.Repeat("\x00", pad))
}

func TestSnoop(t *testing.T) {
	t.Parallel()
	const sec = 3_000_000_000 // the field is without sign
	for link, want := range map[int]LinkType{0: LinkTypeEthernet, 4: LinkTypeEthernet, 2: LinkTypeTokenRing, 8: LinkTypeFDDI} {
		file := snoopFile(link, snoopRecord(1500, sec, 123456, "hello"), snoopRecord(0, 1, 0, ""), snoopRecord(4, 2, 0, "four"))
		wantFrames(t, file, []Frame{
			{Data: []byte("hello"), WireLen: 1500, TS: sec*1e9 + 123456e3, Link: want},
			{Data: []byte{}, TS: 1e9, Link: want},
			{Data: []byte("four"), WireLen: 4, TS: 2e9, Link: want},
		}, "")
	}
	generous := words(big, 3, 3, snoopRecordLen+3+maxSnoopPad, 0, 1, 0, "abc", strings.Repeat("x", maxSnoopPad))
	wantFrames(t, snoopFile(4, generous, snoopRecord(1, 2, 0, "d")), []Frame{
		{Data: []byte("abc"), WireLen: 3, TS: 1e9, Link: LinkTypeEthernet},
		{Data: []byte("d"), WireLen: 1, TS: 2e9, Link: LinkTypeEthernet},
	}, "")
}

func TestSnoopDamage(t *testing.T) {
	t.Parallel()
	good := snoopRecord(2, 1, 0, "ab")
	frame := []Frame{{Data: []byte("ab"), WireLen: 2, TS: 1e9, Link: LinkTypeEthernet}}
	file := func(records ...[]byte) []byte { return snoopFile(4, records...) }
	claims := func(captured, record int) []byte { return words(big, 9, captured, record, 0, 1, 0, "ab") }
	for _, tc := range []struct {
		name  string
		file  []byte
		want  []Frame
		fault string
	}{
		{"no record", file(), nil, ""},
		{"half a magic", file()[:6], nil, "offset 0: file header cut short: the stream ends after 6 of its bytes"},
		{"snooper", []byte("snoopers of the world"), nil, "offset 0: magic 736e6f6f is not pcap, pcapng or snoop"},
		{"half a file header", file()[:13], nil, "offset 0: file header cut short: the stream ends after 13 of its bytes"},
		{"version", words(big, snoopMagic, 1, 4), nil, "offset 0: snoop version 1 is not supported, only 2"},
		{"data link", words(big, snoopMagic, 2, 5), nil, "offset 0: snoop data link 5 is not supported: Ethernet (0, 4), token ring (2) or FDDI (8) expected"},
		{"half a record header", file(good, good[:23]), frame, "offset 44: record header cut short: the stream ends after 23 of its bytes"},
		{"half a record", file(good, good[:25]), frame, "offset 44: record cut short: the stream ends after 25 of its bytes"},
		{"half the padding", file(good, good[:27]), frame, "offset 44: record cut short: the stream ends after 27 of its bytes"},
		{"limit", file(good, claims(MaxFrame+1, MaxFrame+25)), frame, "offset 44: a record claims 262145 captured bytes, the limit is 262144"},
		{"record shorter than the packet", file(good, claims(2, 25)), frame, "offset 44: a record of 25 bytes cannot hold 2 captured ones"},
		{"record of nothing", file(good, claims(0, 0)), frame, "offset 44: a record of 0 bytes cannot hold 0 captured ones"},
		{"record of everything", file(good, claims(2, 0xffffffff)), frame, "offset 44: a record of 4294967295 bytes cannot hold 2 captured ones"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			wantFrames(t, tc.file, tc.want, tc.fault)
		})
	}
}
