package flow_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"net/netip"
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
	stray          bool // of segments whose header is malformed, and which no connection has
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
	list     []*account
	byID     map[uint64]*account
	strays   map[[2]string]*account // of segments whose header is malformed: no connection has them
	segments map[string]int         // how many were read, one direction a key
	stats    flow.Stats
}

func (a *accounts) of(c flowev.Conn) *account {
	acc := a.byID[c.ID()]
	if acc == nil {
		acc = a.add()
		a.byID[c.ID()] = acc
	}
	return acc
}

func (a *accounts) add() *account {
	acc := &account{hash: [2]hash.Hash{sha256.New(), sha256.New()}}
	a.list = append(a.list, acc)
	return acc
}

// stray takes a packet of which an orphan event says that its TCP header is malformed: it has ends, and no
// byte that could be read.
func (a *accounts) stray(p flowev.Packet) {
	src, dst := ends(p)
	a.segments[src+">"+dst]++
	if a.strays[[2]string{src, dst}] == nil {
		acc := a.add()
		acc.client, acc.server, acc.stray = src, dst, true
		a.strays[[2]string{src, dst}], a.strays[[2]string{dst, src}] = acc, acc
	}
}

// ends are a packet's source and destination with their ports.
func ends(p flowev.Packet) (src, dst string) {
	return netip.AddrPortFrom(p.Src(), p.SrcPort()).String(), netip.AddrPortFrom(p.Dst(), p.DstPort()).String()
}

func (a *accounts) Dispatch(_ *event.Shard, id event.PointID, e any) event.Verdict {
	switch e := e.(type) {
	case *flowev.PktIn:
		if id != flowev.OnPktInSnd.ID() {
			break
		}
		src, dst := ends(e.Pkt)
		a.segments[src+">"+dst]++
	case *flowev.Orphan:
		if e.Reason == flowev.OrphanReasonMalformed && strings.HasPrefix(e.Fault, "tcp ") {
			a.stray(e.Pkt)
		}
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

// replay runs a capture through a stack. With lastOnly of each frame that carries several packets only the last
// is given to it, as a frame of its own.
func replay(t testing.TB, path string, cfg flow.Config, lastOnly bool) *accounts {
	a := &accounts{byID: map[uint64]*account{}, strays: map[[2]string]*account{}, segments: map[string]int{}}
	sh := event.NewShard(0)
	sh.Bind(a, func(event.PointID) bool { return true })
	s := flow.New(sh, cfg)
	eachFrame(t, path, func(f *capture.Frame) {
		if p, ok := last(f, cfg.Decap); lastOnly && ok {
			s.Frame(packet.LinkRaw, p, len(p), f.TS)
			return
		}
		s.Frame(uint16(f.Link), f.Data, f.WireLen, f.TS)
	})
	s.Close()
	a.stats = s.Stats()
	return a
}

// last returns the last packet of a frame that carries several.
func last(f *capture.Frame, decap packet.Tunnels) (ip []byte, ok bool) {
	var in packet.Inside
	p := packet.Packet{Decap: decap}
	p.Decode(uint16(f.Link), f.Data, f.WireLen, f.TS)
	if !in.Open(&p) {
		return nil, false
	}
	for q := p; in.Next(&q); {
		p, ok = q, true
	}
	if !ok {
		return nil, false
	}
	return p.Data[p.IPOff : p.PayloadOff+p.PayloadCap], true
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

// ways are the two directions of a row, as segments are counted.
func ways(t testing.TB, r truthRow) (there, back string) {
	client, server := endpointOf(t, r["a"]), endpointOf(t, r["b"])
	return client + ">" + server, server + ">" + client
}
