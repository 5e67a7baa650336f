package capture

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
)

func TestPcapVariants(t *testing.T) {
	t.Parallel()
	const sec, frac = 1_700_000_000, 123_456
	for _, order := range []binary.AppendByteOrder{little, big} {
		for _, v := range []struct {
			magic int
			extra string
			nanos int64
		}{
			{0xa1b2c3d4, "", frac * 1000},
			{0xa1b23c4d, "", frac},
			{0xa1b2cd34, "\x00\x00\x00\x02\x08\x00\x04\x00", frac * 1000},
		} {
			t.Run(fmt.Sprintf("%x/%v", v.magic, order), func(t *testing.T) {
				t.Parallel()
				file := pcapFile(order, v.magic, 4, 113,
					words(order, sec, frac, 5, 1500, v.extra, "hello"),
					words(order, sec+1, 0, 0, 0, v.extra))
				wantFrames(t, file, []Frame{
					{Data: []byte("hello"), WireLen: 1500, TS: sec*1e9 + v.nanos, Link: LinkTypeLinuxSLL},
					{Data: []byte{}, TS: (sec + 1) * 1e9, Link: LinkTypeLinuxSLL},
				}, "")
			})
		}
	}
}

func TestPcapOldVersions(t *testing.T) {
	t.Parallel()
	want := []Frame{{Data: []byte("abc"), WireLen: 60, TS: 7e9, Link: LinkTypeEthernet}}
	for _, tc := range []struct {
		minor, first, second int
	}{
		{4, 3, 60},
		{3, 3, 60},
		{3, 60, 3},
		{2, 60, 3},
		{1, 60, 3},
	} {
		record := words(little, 7, 0, tc.first, tc.second, "abc")
		wantFrames(t, pcapFile(little, 0xa1b2c3d4, tc.minor, 1, record), want, "")
	}
	// From 2.4 on a record may say that it holds more than there was.
	record := words(little, 7, 0, 3, 2, "abc")
	wantFrames(t, pcapFile(little, 0xa1b2c3d4, 4, 1, record), []Frame{{Data: []byte("abc"), WireLen: 2, TS: 7e9, Link: 1}}, "")
}

func TestPcapLinkField(t *testing.T) {
	t.Parallel()
	for field, want := range map[int]LinkType{
		1: LinkTypeEthernet, 276: LinkTypeLinuxSLL2, 101: LinkTypeRaw,
		12: LinkTypeRaw, 14: LinkTypeRaw, // what systems wrote before 101 was assigned
		0x30000001: LinkTypeEthernet, // a frame check sequence of 6 bytes, flagged in the upper half
	} {
		frames, _ := readAll(strings.NewReader(string(pcapFile(big, 0xa1b2c3d4, 4, field, words(big, 0, 0, 1, 1, "x")))))
		if len(frames) != 1 || frames[0].Link != want {
			t.Errorf("link field %#x: frames %v, want one of %v", field, frames, want)
		}
	}
}

func TestPcapDamage(t *testing.T) {
	t.Parallel()
	good := words(little, 1, 0, 2, 2, "ab")
	frame := []Frame{{Data: []byte("ab"), WireLen: 2, TS: 1e9, Link: LinkTypeEthernet}}
	file := func(records ...[]byte) []byte { return pcapFile(little, 0xa1b2c3d4, 4, 1, records...) }
	for _, tc := range []struct {
		name  string
		file  []byte
		want  []Frame
		fault string
	}{
		{"nothing", nil, nil, "offset 0: empty: no capture header"},
		{"three bytes", []byte("\xd4\xc3\xb2"), nil, "offset 0: capture header cut short: the stream ends after 3 of its bytes"},
		{"half a file header", file()[:20], nil, "offset 0: file header cut short: the stream ends after 20 of its bytes"},
		{"version", words(little, 0xa1b2c3d4, uint16(3), uint16(7), 0, 0, 0, 1), nil, "offset 0: pcap version 3.7 is not supported, only 2.x"},
		{"text", []byte("GET / HTTP/1.1\r\n"), nil, "offset 0: magic 47455420 is not pcap, pcapng or snoop"},
		{"no record", file(), nil, ""},
		{"half a record header", file(good, good[:15]), frame, "offset 42: record header cut short: the stream ends after 15 of its bytes"},
		{"half a record", file(good, good[:17]), frame, "offset 42: record cut short: the stream ends after 17 of its bytes"},
		{"limit", file(good, words(little, 1, 0, MaxFrame+1, 1)), frame, "offset 42: a record claims 262145 captured bytes, the limit is 262144"},
		{"absurd", file(good, words(little, 1, 0, 0xffffffff, 1)), frame, "offset 42: a record claims 4294967295 captured bytes, the limit is 262144"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			wantFrames(t, tc.file, tc.want, tc.fault)
		})
	}
}

func TestLargestFrame(t *testing.T) {
	t.Parallel()
	data := strings.Repeat("0123456789abcdef", MaxFrame/16)
	record := words(big, 0, 9, MaxFrame, 1<<31-1, data)
	frame := Frame{Data: []byte(data), WireLen: 1<<31 - 1, TS: 9, Link: LinkTypeRaw}
	wantFrames(t, pcapFile(big, 0xa1b23c4d, 4, 101, record, record), []Frame{frame, frame}, "")
}

func TestLinkTypeString(t *testing.T) {
	t.Parallel()
	for link, want := range map[LinkType]string{
		LinkTypeEthernet: "ETHERNET", LinkTypeLinuxSLL2: "LINUX_SLL2", 65000: "LINKTYPE_65000",
	} {
		if got := link.String(); got != want {
			t.Errorf("link type %d: %s, want %s", uint16(link), got, want)
		}
	}
}
