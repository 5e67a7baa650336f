package flow_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/stacks/flow"
	"github.com/hookd/hookd/stacks/flow/packet"
	pt "github.com/hookd/hookd/stacks/flow/packet/packettest"
)

const (
	fin = packet.FIN
	syn = packet.SYN
	rst = packet.RST
	psh = packet.PSH
	ack = packet.ACK
)

// pointNames are the hook points' names without the family, by number.
var pointNames = func() map[event.PointID]string {
	names := map[event.PointID]string{}
	for _, e := range flowev.Family.Events {
		for _, p := range e.Points {
			names[p.ID] = strings.TrimPrefix(p.Name, "flow.")
		}
	}
	return names
}()

// record is the engine's stand-in: it writes every event down as a word.
type record struct {
	words []string
	ends  []string      // client port and reason
	conns []flowev.Conn // in the order of their first event
	data  map[flowev.Conn]*[2]strings.Builder
	on    func(e any) event.Verdict // also called, where set
	rule  func(point string) event.VerdictKind
}

func (r *record) Dispatch(_ *event.Shard, id event.PointID, e any) event.Verdict {
	name := pointNames[id]
	switch e := e.(type) {
	case *flowev.PktIn:
		r.word(e.C, "%s/%s", name, letter(e.Side))
	case *flowev.ConnStart:
		r.word(e.C, "%s/%s", name, letter(e.Side))
	case *flowev.TCPStateChange:
		r.word(e.C, "%s/%s:%s>%s", strings.Replace(name, "tcp_state_change", "state", 1), letter(e.Side), e.Old, e.New)
	case *flowev.Rexmit:
		differ := ""
		if e.Differ {
			differ = ":differ"
		}
		r.word(e.C, "%s/%s:%s%s", name, letter(e.Side), e.Kind, differ)
	case *flowev.ConnAdopted:
		r.word(e.C, "%s/%s", name, letter(e.Side))
	case *flowev.Gap:
		r.word(e.C, "%s/%s:%d+%d:%s", name, letter(e.Side), e.Offset, e.Len, e.Why)
	case *flowev.Error:
		r.word(e.C, "%s/%s:%s:%d", name, letter(e.Side), e.Reason, e.Lost)
	case *flowev.SideClosed:
		r.word(e.C, "%s/%s:%s", name, letter(e.Side), e.Reason)
	case *flowev.NewData:
		r.word(e.C, "%s/%s:%d+%d", name, letter(e.Side), e.D.Offset(), e.D.Len())
		if r.data == nil {
			r.data = map[flowev.Conn]*[2]strings.Builder{}
		}
		if r.data[e.C] == nil {
			r.data[e.C] = new([2]strings.Builder)
		}
		r.data[e.C][e.D.From()-1].Write(e.D.Peek(0, false))
	case *flowev.ConnEnd:
		r.word(e.C, "%s:%s", name, e.Reason)
		r.ends = append(r.ends, fmt.Sprintf("%d:%s", e.C.Client().Port(), e.Reason))
	case *flowev.UDPStart:
		r.word(e.C, "%s", name)
	case *flowev.Datagram:
		r.word(e.C, "%s/%s", name, letter(e.Side))
	case *flowev.UDPEnd:
		r.word(e.C, "%s:%s", name, e.Reason)
		r.ends = append(r.ends, fmt.Sprintf("%d:%s", e.C.Client().Port(), e.Reason))
	case *flowev.ICMPError:
		r.word(e.C, "%s/%s:%d/%d", name, letter(e.Side), e.Type, e.Code)
	case *flowev.Orphan:
		r.words = append(r.words, name)
	case *flowev.BlockStart:
		r.words = append(r.words, fmt.Sprintf("%s:%s:%v:%s", name, e.Prefix, e.TTL, e.Reason))
	case *flowev.BlockEnd:
		r.words = append(r.words, fmt.Sprintf("%s:%s:%s:%d", name, e.Prefix, e.Reason, e.Pkts))
	case *flowev.Blocked:
		r.words = append(r.words, fmt.Sprintf("%s:%s", name, e.Prefix))
	default:
		r.words = append(r.words, fmt.Sprintf("?%T", e))
	}
	if r.rule != nil {
		return event.Verdict{Kind: r.rule(name)}
	}
	if r.on != nil {
		return r.on(e)
	}
	return event.Verdict{}
}

func (r *record) word(c flowev.Conn, format string, args ...any) {
	c.Slots().Set(r, true) // keeps the object from being made into another connection
	if len(r.conns) == 0 || r.conns[len(r.conns)-1] != c {
		r.conns = append(r.conns, c)
	}
	r.words = append(r.words, fmt.Sprintf(format, args...))
}

// take returns the words since the last call.
func (r *record) take() string {
	s := strings.Join(r.words, " ")
	r.words = nil
	return s
}

func letter(s flowev.Side) string {
	return map[flowev.Side]string{flowev.SideClient: "C", flowev.SideServer: "S"}[s]
}

// net is a stack with everything recorded, and two ends to send from.
type net struct {
	t          testing.TB
	sh         *event.Shard
	s          *flow.Stack
	shelf      *shelf // where frames stay, if anywhere
	rec        record
	now        time.Duration // since start
	client     netip.AddrPort
	server     netip.AddrPort
	cisn, sisn uint32
}

// start is the time of a net's first packet, in nanoseconds since the epoch.
const start = int64(1_700_000_000e9)

func newNet(t testing.TB, cfg flow.Config) *net {
	n := &net{
		t: t, sh: event.NewShard(0), cisn: 1000, sisn: 5000,
		client: netip.MustParseAddrPort("10.0.0.1:40000"), server: netip.MustParseAddrPort("10.0.0.2:80"),
	}
	n.s = flow.New(n.sh, cfg)
	n.shelf, _ = cfg.Storage.(*shelf)
	n.sh.Bind(&n.rec, func(event.PointID) bool { return true })
	return n
}

// c and s build a segment of the client and of the server. Numbers count from the ISN: 0 is the SYN,
// 1 the first byte.
func (n *net) c(seq, ackTo uint32, flags packet.Flags, payload string, opts ...pt.Option) []byte {
	return pt.TCP(n.client, n.server, n.cisn+seq, ackNumber(flags, n.sisn+ackTo), flags, payload, opts...)
}

func (n *net) srv(seq, ackTo uint32, flags packet.Flags, payload string, opts ...pt.Option) []byte {
	return pt.TCP(n.server, n.client, n.sisn+seq, ackNumber(flags, n.cisn+ackTo), flags, payload, opts...)
}

func ackNumber(flags packet.Flags, n uint32) uint32 {
	if flags.Has(packet.ACK) {
		return n
	}
	return 0
}

// send gives frames to the stack, a millisecond apart, and returns the events.
func (n *net) send(frames ...[]byte) string {
	for _, f := range frames {
		n.now += time.Millisecond
		if n.shelf != nil {
			f = n.shelf.put(f)
		}
		n.s.Frame(packet.LinkEthernet, f, len(f), start+int64(n.now))
	}
	return n.rec.take()
}

// open runs a handshake; both ends have sequence number 1 next.
func (n *net) open(opts ...pt.Option) {
	n.send(n.c(0, 0, syn, "", opts...), n.srv(0, 1, syn|ack, "", opts...), n.c(1, 1, ack, ""))
}

// conn returns the latest connection.
func (n *net) conn() flowev.Conn {
	if len(n.rec.conns) == 0 {
		n.t.Fatal("no connection")
	}
	return n.rec.conns[len(n.rec.conns)-1]
}

// states returns both states of the latest connection.
func (n *net) states() string {
	return n.conn().Client().State().String() + " " + n.conn().Server().State().String()
}

// got returns what the client's or server's new_data events brought.
func (n *net) got(from flowev.Side) string {
	if d := n.rec.data[n.conn()]; d != nil {
		return d[from-1].String()
	}
	return ""
}

func (n *net) want(what, got, want string) {
	n.t.Helper()
	if got != want {
		n.t.Errorf("%s:\n\tgot  %s\n\twant %s", what, got, want)
	}
}

// endpoint is 10.0.0.x by its port.
func endpoint(port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(port)}), port)
}
