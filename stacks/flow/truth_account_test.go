package flow_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/stacks/flow"
	"github.com/hookd/hookd/stacks/flow/capture"
	"github.com/hookd/hookd/stacks/flow/packet"
)

// account is what became of one connection, by direction where there are two values.
type account struct {
	client, server string
	reason         string
	contig, seen   [2]int // bytes before the first gap; all that were seen
	gaps           [2]uint64
	length         [2]uint64 // places in the stream, gaps and all
	rexmits        uint64
	hash           [2]hash.Hash // of the bytes before the first gap
	gap            [2]bool
	matched        bool
}

// sum returns the digest as the tables have it.
func (a *account) sum(i int) string {
	if a.contig[i] == 0 {
		return "-"
	}
	return hex.EncodeToString(a.hash[i].Sum(nil))
}

// accounts collects the connections of one capture.
type accounts struct {
	list  []*account
	byID  map[uint64]*account
	stats flow.Stats
	// How many segments were read, one direction a key.
	segments map[string]int
	broken   map[string]int // the same of segments whose header is malformed
	packed   []packed       // what carries packets and is no tunnel
}

// packed is bytes in which segments lie that no connection has.
type packed struct {
	kind  string
	bytes []byte
}

func (a *accounts) of(c flowev.Conn) *account {
	acc := a.byID[c.ID()]
	if acc == nil {
		acc = &account{hash: [2]hash.Hash{sha256.New(), sha256.New()}}
		a.byID[c.ID()] = acc
		a.list = append(a.list, acc)
	}
	return acc
}

func (a *accounts) Dispatch(_ *event.Shard, id event.PointID, e any) event.Verdict {
	switch e := e.(type) {
	case *flowev.PktIn:
		if id != flowev.OnPktInSnd.ID() {
			break
		}
		a.segments[fmt.Sprintf("%v>%v", netip.AddrPortFrom(e.Pkt.Src(), e.Pkt.SrcPort()), netip.AddrPortFrom(e.Pkt.Dst(), e.Pkt.DstPort()))]++
	case *flowev.NewData:
		if acc, i := a.of(e.C), e.D.From()-1; !acc.gap[i] {
			acc.hash[i].Write(e.D.Peek(0, false))
			acc.contig[i] += int(e.D.Len())
		}
	case *flowev.Gap:
		a.of(e.C).gap[2-e.Side] = true
	case *flowev.ConnEnd:
		acc := a.of(e.C)
		acc.client, acc.server, acc.reason = fmt.Sprint(e.C.Client()), fmt.Sprint(e.C.Server()), e.Reason.String()
		for i, p := range [2]flowev.Peer{e.C.Client(), e.C.Server()} {
			acc.gaps[i], acc.length[i] = p.Gaps(), p.Sent().Len()
			acc.seen[i] = int(p.Bytes()) + waiting(p.Sent())
			acc.rexmits += p.Rexmits()
		}
	}
	return event.Verdict{}
}

// waiting counts the bytes that wait behind a hole.
func waiting(s flowev.Stream) (n int) {
	for _, r := range s.Ranges().([]any) {
		if kv := r.([]event.KV); kv[0].Value.(float64) >= float64(s.Len()) {
			n += int(kv[1].Value.(float64))
		}
	}
	return n
}

// replay runs a capture through a stack.
func replay(t testing.TB, path string, cfg flow.Config) *accounts {
	a := &accounts{byID: map[uint64]*account{}, segments: map[string]int{}, broken: map[string]int{}}
	sh := event.NewShard(0)
	sh.Bind(a, func(event.PointID) bool { return true })
	s := flow.New(sh, cfg)
	p := packet.Packet{}
	eachFrame(t, path, func(f *capture.Frame) {
		s.Frame(uint16(f.Link), f.Data, f.WireLen, f.TS)
		p.Decode(uint16(f.Link), f.Data, f.WireLen, f.TS)
		a.note(&p)
	})
	s.Close()
	a.stats = s.Stats()
	return a
}

// note keeps what the stack raised no segment for.
func (a *accounts) note(p *packet.Packet) {
	keep := func(kind string) { a.packed = append(a.packed, packed{kind, bytes.Clone(p.Data)}) }
	switch {
	case p.Err == packet.ErrTCPDataOffset && p.IPVersion == 4:
		tcp := p.Data[p.ErrOff:]
		src, dst := netip.AddrPortFrom(p.Src.Netip(4), binary.BigEndian.Uint16(tcp)), netip.AddrPortFrom(p.Dst.Netip(4), binary.BigEndian.Uint16(tcp[2:]))
		a.broken[fmt.Sprintf("%v>%v", src, dst)]++
	case p.Class == packet.UDP && p.DstPort == 6343:
		keep("sflow")
	case p.Class == packet.Fragment && p.Cut() && p.FragOff == 0:
		keep("fragment")
	case p.Class == packet.OtherIP && p.Proto == 47 && bytes.HasPrefix(p.Payload(), []byte("\x00\x00\x82\x40")):
		keep("aruba")
	}
}

// carried reports whether a segment of the row's client lies in one of the packets of that kind: the addresses,
// and the ports behind them.
func (a *accounts) carried(kind string, r truthRow) bool {
	want := func(ends ...string) []byte {
		var b []byte
		for _, e := range ends {
			b = append(b, netip.MustParseAddr(e).AsSlice()...)
		}
		return b
	}
	src, sport, _ := strings.Cut(r["a"], " ")
	dst, dport, _ := strings.Cut(r["b"], " ")
	s, err1 := strconv.ParseUint(sport, 10, 16)
	d, err2 := strconv.ParseUint(dport, 10, 16)
	if err1 != nil || err2 != nil {
		return false
	}
	segment := append(want(src, dst), byte(s>>8), byte(s), byte(d>>8), byte(d))
	return slices.ContainsFunc(a.packed, func(p packed) bool { return p.kind == kind && bytes.Contains(p.bytes, segment) })
}

// endpointOf turns "10.0.0.1 80" into "10.0.0.1:80".
func endpointOf(t testing.TB, text string) string {
	addr, port, _ := strings.Cut(text, " ")
	a, err := netip.ParseAddr(addr)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	return netip.AddrPortFrom(a, uint16(n)).String()
}

// directions are the columns' endings, the client's bytes first.
var directions = [2]string{"_ab", "_ba"}

// equals reports whether one direction has the row's bytes: all that were seen by number, those
// before the first gap by number and content.
//
// Where the capture missed the SYN, the table counts from the lowest number that it saw, and takes one up to
// 1 MiB before the first. Nothing may lie there: then it has no content, and that is not compared.
func (a *account) equals(r truthRow, i int) bool {
	d := directions[i]
	if a.seen[i] != r.n("uniq"+d) {
		return false
	}
	if r.n([2]string{"syn_ab", "synack_ba"}[i]) == 0 && r.n("contig"+d) == 0 && r.n("gapbytes"+d) > 1<<20 {
		return r["follow"+d] != "ok"
	}
	return a.contig[i] == r.n("contig"+d) && a.sum(i) == r["sha256_contig_first"+d]
}

// find returns the connection that equals the row, or nil. One that has bytes is taken by that; one
// without may be many of TShark's, for which a SYN with another number begins another stream even if
// nobody answers it.
func (a *accounts) find(t testing.TB, r truthRow) *account {
	client, server := endpointOf(t, r["a"]), endpointOf(t, r["b"])
	for _, c := range a.list {
		if !c.matched && c.client == client && c.server == server && c.equals(r, 0) && c.equals(r, 1) {
			c.matched = r.either("uniq") > 0
			return c
		}
	}
	return nil
}

// between returns the connections that have the row's endpoints.
func (a *accounts) between(t testing.TB, r truthRow) (same []*account) {
	client, server := endpointOf(t, r["a"]), endpointOf(t, r["b"])
	for _, c := range a.list {
		if c.client == client && c.server == server {
			same = append(same, c)
		}
	}
	return same
}

// read reports whether all segments of the stream were read.
func (a *accounts) read(t testing.TB, r truthRow) bool {
	there, back := ways(t, r)
	return a.segments[there] >= r.n("pkts_ab") && a.segments[back] >= r.n("pkts_ba")
}

// malformed reports whether the stream is nothing but segments with malformed headers, and without a byte.
func (a *accounts) malformed(t testing.TB, r truthRow) bool {
	there, back := ways(t, r)
	return a.broken[there] == r.n("pkts_ab") && a.broken[back] == r.n("pkts_ba") &&
		r.either("uniq") == 0 && r["sha256_contig_first_ab"] == "-" && r["sha256_contig_first_ba"] == "-"
}

// ways are the two directions of a row, as segments are counted.
func ways(t testing.TB, r truthRow) (there, back string) {
	client, server := endpointOf(t, r["a"]), endpointOf(t, r["b"])
	return client + ">" + server, server + ">" + client
}
