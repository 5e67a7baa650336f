package image

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func sample() *Image {
	return &Image{
		ID: ID{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}, Generation: 3, Created: time.Unix(0, 1_700_000_000_123_456_789),
		State: 1, Local: netip.MustParseAddrPort("10.0.0.1:80"), Remote: netip.MustParseAddrPort("10.0.0.2:40000"),
		Stream: Stream{
			InqLen: 5, InqSeq: 0xfffffff0, OutqLen: 7, OutqSeq: 77, OptMask: 7, SndWscale: 7, MSSClamp: 1460, RcvWscale: 10,
			Timestamp: 123456, UnsqLen: 3, SndWl1: 1, SndWnd: 65000, MaxWindow: 66000, RcvWnd: 0, RcvWup: 5,
			Has: hasRequired | HasRcvWscale | HasTimestamp | HasUnsqLen | HasWindow,
		},
		Options: []Option{{ID: 18, Value: []byte{1, 0, 0, 0}}, {ID: 29, Value: []byte("cubic")}},
		Meta:    map[string]string{"a": "1", "why": "drain"},
		App:     []byte("half a request"),
		Recv:    []byte("hello"), Send: []byte("goodbye"),
	}
}

func encode(t testing.TB, m *Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, err := m.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

var same = cmpopts.EquateComparable(netip.AddrPort{}, ID{}, Stream{})

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	six := sample()
	six.Local, six.Remote = netip.MustParseAddrPort("[fe80::1]:80"), netip.MustParseAddrPort("[fe80::2]:1")
	six.IPv6Socket, six.Interface, six.Meta, six.App, six.Options = true, "eth0", nil, nil, nil
	mapped := sample()
	mapped.Local, mapped.Remote = netip.MustParseAddrPort("[::ffff:10.0.0.1]:80"), netip.MustParseAddrPort("[::ffff:10.0.0.2]:80")
	empty := sample()
	empty.Recv, empty.Send, empty.Stream = []byte{}, []byte{}, Stream{Has: hasRequired}
	for name, m := range map[string]*Image{"v4": sample(), "v6": six, "mapped": mapped, "empty": empty} {
		b := encode(t, m)
		got, err := Decode(b)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(m, got, same, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
		r := bytes.NewReader(append(b[:len(b):len(b)], "next"...))
		got, err = Read(r, nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(m, got, same, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s read: -want +got\n%s", name, diff)
		}
		if rest, _ := io.ReadAll(r); string(rest) != "next" {
			t.Errorf("%s: %q is left", name, rest)
		}
		if again := encode(t, got); !bytes.Equal(again, b) {
			t.Errorf("%s: other bytes the second time", name)
		}
	}
}

// TestDamage flips each bit, cuts at each byte and lengthens: nothing passes.
func TestDamage(t *testing.T) {
	t.Parallel()
	b := encode(t, sample())
	for i := range b {
		if _, err := Decode(b[:i]); err == nil {
			t.Fatalf("cut to %d of %d bytes: no error", i, len(b))
		}
		if _, err := Read(bytes.NewReader(b[:i]), nil); err == nil {
			t.Fatalf("stream cut to %d of %d bytes: no error", i, len(b))
		}
		for bit := range 8 {
			c := bytes.Clone(b)
			c[i] ^= 1 << bit
			if _, err := Decode(c); err == nil {
				t.Fatalf("bit %d of byte %d flipped: no error", bit, i)
			}
		}
	}
	if _, err := Decode(append(bytes.Clone(b), 0)); !errors.Is(err, ErrDamaged) {
		t.Errorf("a byte more: %v", err)
	}
}

// reseal writes header and sections with right checksums, so that only what they say
// is wrong.
func reseal(m *Image, change func(e *encoder)) []byte {
	e := encoder{sum: newSum()}
	change(&e)
	return bytes.Join(e.trailer(), nil)
}

func TestRefused(t *testing.T) {
	t.Parallel()
	m := sample()
	header := func(e *encoder, n int) { e.header(m, n) }
	parts := func(e *encoder) {
		e.section(sectionIdentity, m.identity())
		e.section(sectionStream, m.Stream.appendTo(nil))
		e.section(sectionRecv, m.Recv)
		e.section(sectionSend, m.Send)
	}
	short := m.Stream
	short.UnsqLen = 8
	tests := []struct {
		name string
		b    []byte
		want error
	}{
		{"nothing", nil, ErrDamaged},
		{"text", []byte(strings.Repeat("hello ", 20)), ErrFormat},
		{"version", func() []byte { b := encode(t, m); b[8] = 2; return b }(), ErrVersion},
		{"flags", func() []byte { b := encode(t, m); b[12] = 2; return b }(), ErrVersion},
		{"unknown section", reseal(m, func(e *encoder) { header(e, 6); parts(e); e.section(99, nil) }), ErrVersion},
		{"section twice", reseal(m, func(e *encoder) { header(e, 6); parts(e); e.section(sectionRecv, m.Recv) }), ErrDamaged},
		{"count", reseal(m, func(e *encoder) { header(e, 4); parts(e) }), ErrDamaged},
		{"no stream", reseal(m, func(e *encoder) {
			header(e, 4)
			e.section(sectionIdentity, m.identity())
			e.section(sectionRecv, m.Recv)
			e.section(sectionSend, m.Send)
		}), ErrDamaged},
		{"queue of another length", reseal(m, func(e *encoder) {
			header(e, 5)
			e.section(sectionIdentity, m.identity())
			e.section(sectionStream, m.Stream.appendTo(nil))
			e.section(sectionRecv, m.Recv[1:])
			e.section(sectionSend, m.Send)
		}), ErrDamaged},
		{"more unsent than there is", reseal(m, func(e *encoder) {
			header(e, 5)
			e.section(sectionIdentity, m.identity())
			e.section(sectionStream, short.appendTo(nil))
			e.section(sectionRecv, m.Recv)
			e.section(sectionSend, m.Send)
		}), ErrDamaged},
	}
	for _, tt := range tests {
		if _, err := Decode(tt.b); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	known := reseal(m, func(e *encoder) {
		header(e, 6)
		parts(e)
		at := len(e.small)
		e.small = binary.LittleEndian.AppendUint16(e.small, 99)
		e.small = append(e.small, 0, 0)
		e.small = binary.LittleEndian.AppendUint32(e.small, crc32.Checksum([]byte("x"), castagnoli))
		e.small = binary.LittleEndian.AppendUint64(e.small, 1)
		e.small = append(e.small, 'x')
		e.sum.Write(e.small[at:])
		e.total += 17
	})
	if _, err := Decode(known); err != nil {
		t.Errorf("an unknown section that need not be understood: %v", err)
	}
	m.Recv = nil
	if _, err := m.Encode(); err == nil {
		t.Error("an image that contradicts itself was written")
	}
}

// TestHugeLength wants a length that nobody backs with bytes to cost little memory.
func TestHugeLength(t *testing.T) {
	m := sample()
	b := encode(t, m)
	at := bytes.Index(b, m.Recv) - 8
	binary.LittleEndian.PutUint64(b[at:], MaxQueue)
	n := testing.Benchmark(func(bb *testing.B) {
		for bb.Loop() {
			if _, err := Read(bytes.NewReader(b), nil); !errors.Is(err, ErrDamaged) {
				bb.Fatal(err)
			}
		}
	}).AllocedBytesPerOp()
	if n > 2*trusted {
		t.Errorf("%d bytes allocated", n)
	}
}

func TestClaim(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "c.img")
	m := sample()
	if err := WriteFile(path, m, true); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatal(info.Mode(), err)
	}
	if err := WriteFile(path, m, false); !errors.Is(err, os.ErrExist) {
		t.Fatalf("written twice: %v", err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var won []*Claimed
	for range 16 {
		wg.Go(func() {
			c, err := Claim(path)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won = append(won, c)
			} else if !errors.Is(err, ErrClaimed) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(won) != 1 {
		t.Fatalf("%d claimed it", len(won))
	}
	if err := WriteFile(path, m, false); !errors.Is(err, os.ErrExist) {
		t.Fatalf("written while it is restored: %v", err)
	}
	if err := won[0].Release(); err != nil {
		t.Fatal(err)
	}
	c, err := Claim(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(m, c.Image, same); diff != "" {
		t.Error(diff)
	}
	if err := c.Done(); err != nil {
		t.Fatal(err)
	}
	if _, err := Claim(path); !errors.Is(err, ErrClaimed) {
		t.Errorf("claimed after it was done: %v", err)
	}
	if err := WritePending(path+"2", m, false); err != nil {
		t.Fatal(err)
	}
	if _, err := Claim(path + "2"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("claimed while it is pending: %v", err)
	}
	if err := errors.Join(Discard(path+"2"), Discard(path+"2")); err != nil {
		t.Error(err)
	}
	if err := Confirm(path + "2"); err == nil {
		t.Error("confirmed what was discarded")
	}
	entries, _ := os.ReadDir(filepath.Dir(path))
	if len(entries) != 1 || entries[0].Name() != "c.img.done" {
		t.Errorf("left: %v", entries)
	}
	if _, err := Claim(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	orphan := filepath.Join(t.TempDir(), "orphan")
	if err := WriteFile(orphan, m, false); err != nil {
		t.Fatal(err)
	}
	dead, err := Claim(orphan)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Claim(orphan); !errors.Is(err, ErrClaimed) {
		t.Errorf("claimed from who lives: %v", err)
	}
	if err := dead.file.Close(); err != nil { // as its death does
		t.Fatal(err)
	}
	if again, err := Claim(orphan); err != nil {
		t.Errorf("claimed from who died: %v", err)
	} else if err := again.Done(); err != nil {
		t.Error(err)
	}
	bad := filepath.Join(t.TempDir(), "bad")
	if err := os.WriteFile(bad, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Claim(bad); !errors.Is(err, ErrDamaged) || !exists(bad) {
		t.Errorf("damaged: %v", err)
	}
}

// TestCRIU reads and writes a tcp-stream image as CRIU has it, and finds its socket.
func TestCRIU(t *testing.T) {
	t.Parallel()
	unhex := func(s string) []byte {
		b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	// inq 3 at 100, outq 2 at 200, options 7, shifts 7 and 10, mss 1460, timestamp 300,
	// unsent 1, windows 1 2 3 4 5.
	entry := "0803 1064 1802 20c801 2807 3007 38b40b 400a 48ac02 6001 6801 7002 7803 800104 880105"
	body := unhex(entry)
	b := append(unhex("19435654 06554651"), byte(len(body)), 0, 0, 0)
	b = append(append(b, body...), "abcde"...)
	m, err := DecodeCRIU(b)
	if err != nil {
		t.Fatal(err)
	}
	if string(m.Recv) != "abc" || string(m.Send) != "de" || m.Stream.MSSClamp != 1460 || m.Stream.RcvWup != 5 || m.Stream.Timestamp != 300 {
		t.Fatalf("%+v", m)
	}
	m.Local, m.Remote = netip.MustParseAddrPort("127.0.0.1:80"), netip.MustParseAddrPort("127.0.0.1:1")
	back, err := m.EncodeCRIU()
	if err != nil || !bytes.Equal(back, b) {
		t.Fatalf("%x\n%x %v", back, b, err)
	}
	own, err := Decode(encode(t, m))
	if err != nil {
		t.Fatal(err)
	}
	if back, err := own.EncodeCRIU(); err != nil || !bytes.Equal(back, b) {
		t.Fatalf("through an image of our own: %x %v", back, err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "tcp-stream-2a.img"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	// id 1, inode 42, AF_INET, stream, TCP, established, ports 80 and 10000, 10.0.2.1 and 10.0.2.2.
	socket := "0801 102a 1802 2001 2806 3001 3850 40904e 588a808808 608a808810"
	isk := unhex(socket)
	file := append([]byte{0x08, 2, 0x10, 1, 0x22, byte(len(isk))}, isk...)
	files := append(unhex("19435654 38313056"), byte(len(file)), 0, 0, 0)
	files = append(files, file...)
	if err := os.WriteFile(filepath.Join(dir, "files.img"), files, 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := ImportCRIU(dir, 42)
	if err != nil {
		t.Fatal(err)
	}
	if got.Local.String() != "10.0.2.1:80" || got.Remote.String() != "10.0.2.2:10000" || got.State != 1 {
		t.Errorf("socket is %v %v in %d", got.Local, got.Remote, got.State)
	}
	if err := got.ExportCRIU(dir, 43); err != nil {
		t.Fatal(err)
	}
	if out, err := os.ReadFile(filepath.Join(dir, "tcp-stream-2b.img")); err != nil || !bytes.Equal(out, b) {
		t.Errorf("exported other bytes: %v", err)
	}
	if _, err := ImportCRIU(dir, 43); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a socket that is not there: %v", err)
	}
	for i := range b {
		if _, err := DecodeCRIU(b[:i]); err == nil {
			t.Fatalf("cut to %d bytes: no error", i)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(encode(f, sample()))
	m := sample()
	m.Meta, m.App, m.Options = nil, nil, nil
	f.Add(encode(f, m))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Decode(b)
		other, err2 := Read(bytes.NewReader(b), nil)
		if err != nil {
			return
		}
		if err2 != nil {
			t.Fatalf("decoded, not read: %v", err2)
		}
		if diff := cmp.Diff(m, other, same, cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
		if err := m.Check(); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzDecodeCRIU(f *testing.F) {
	b, err := sample().EncodeCRIU()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := DecodeCRIU(b)
		if err != nil {
			return
		}
		if int(m.Stream.InqLen) != len(m.Recv) || int(m.Stream.OutqLen) != len(m.Send) {
			t.Fatal("lengths")
		}
		_ = m.socketOf(b, 1)
	})
}
