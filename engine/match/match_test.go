package match

import (
	"fmt"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/spec/cputime"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// TestFlow decides conditions on the event that rexmit returns.
func TestFlow(t *testing.T) {
	t.Parallel()
	blocked := addrs{addr("10.0.0.1"): true}
	for _, tt := range []struct {
		node Node
		want bool
	}{
		{Node{}, true},
		{is("client.port", Eq, 40000), true},
		{is("client.port", Eq, 80, 443, 40000), true},
		{is("client.port", Eq, 80, 443), false},
		{is("client.port", Ne, 80, 443), true},
		{is("client.port", Range, 40000, 40000), true},
		{is("client.port", Gt, 39999.5), true},
		{is("client.port", Lt, 40000), false},
		{is("client.port", Le, 40000.5), true},
		{is("client.port", Eq, numbers{40000: true}), true},
		{is("client.port", Eq, 80, numbers{81: true}), false},
		{is("client.port", Eq, scalars{numbers: numbers{40000: true}}), true},
		{is("tags", Eq, scalars{words: words{"vip": true}}), true},
		{is("client.bytes", Gt, math.Ldexp(1, 60)), false},
		{is("client.bytes", Ge, math.Ldexp(1, 60)), true},
		{is("c.client.port", Eq, 40000), true},
		{is("id", Eq, 17), true},
		{is("side", Eq, "server"), true},
		{is("kind", Eq, "syn", "data"), true},
		{is("kind", Ne, "syn", "fin"), true},
		{is("proto", Prefix, "tc", "ud"), true},
		{is("duration", Eq, 1.5), true},
		{is("duration", Gt, "1s"), true},
		{is("duration", Range, "1s", "1.4s"), false},
		{is("client.ip", Eq, "10.0.0.1"), true},
		{is("client.ip", Eq, "::ffff:10.0.0.1"), true},
		{is("client.ip", Eq, "10.0.0.2", "10.0.0.0/30"), true},
		{is("client.ip", CIDR, "10.0.0.1"), true},
		{is("client.ip", CIDR, "192.168.0.0/16", "172.16.0.0/12", "10.0.0.0/8"), true},
		{is("client.ip", Ne, "192.168.0.0/16", "172.16.0.0/12", "10.0.0.0/8"), false},
		{is("client.ip", Eq, blocked), true},
		{is("client.ip", Ne, blocked), false},
		{is("server.ip", Eq, blocked, "10.0.0.1"), false},
		{is("server.ip", Range, "2001:db8::", "2001:db8::ffff"), true},
		{is("server.ip", Range, "0.0.0.0", "255.255.255.255"), false},
		{is("server.ip", Eq, "2001:DB8:0::5"), true},
		{is("server.endpoint", Eq, "[2001:db8::5]:443"), true},
		{is("server.endpoint", Eq, "[2001:db8::5]:80"), false},
		{is("server.endpoint", CIDR, "2001:db8::/32"), true},
		{is("server.endpoint", Eq, endpoints{netip.MustParseAddrPort("[2001:db8::5]:443"): true}), true},
		{is("tags", Eq, "lossy"), true},
		{is("tags", Eq, "calm", "vip"), true},
		{is("tags", Eq, "calm"), false},
		{is("tags", Ne, "calm"), true},
		{is("tags", Ne, "calm", "vip"), false},
		{is("tags", Prefix, "lo"), true},
		{is("tags", Eq, words{"vip": true}), true},
		{is("tags", Present), true},
		{is("tags", Present, false), false},
		{is("pkt", Present), true},
		{is("pkt.payload", Prefix, "GET ", "POST "), true},
		{is("pkt.payload", Contains, "HTTP/1."), true},
		{is("pkt.payload", Regex, `^GET \S+ HTTP/1\.[01]\r\n`), true},
		{is("pkt.payload", Glob, "GET *"), true},
		{is("pkt.payload", Suffix, "\r\n"), true},
		{is("pkt.payload", Suffix, "\n\n"), false},
		{is("cid", Eq, "1:x"), true},
		{*all(is("client.port", Eq, 40000), is("pkt.len", Gt, 1400)), true},
		{*all(is("client.port", Eq, 40000), is("pkt.len", Gt, 1500)), false},
		{Node{Path: []string{"client"}, All: []Node{is("port", Eq, 40000), is("ip", Eq, "10.0.0.1")}}, true},
		{Node{Path: []string{"client", "port"}, Any: []Node{is("", Eq, 80), is("", Range, 30000, 50000)}}, true},
		{Node{Path: []string{"client", "port"}, None: []Node{is("", Eq, 80), is("", Range, 30000, 50000)}}, false},
		{Node{Any: []Node{*all(is("side", Eq, "client")), *all(is("side", Eq, "server"), is("pkt.proto", Eq, 6))}}, true},
		{Node{Any: []Node{is("side", Eq, "client"), {}}}, true},
		{Node{None: []Node{is("side", Eq, "client"), is("kind", Eq, "fin")}, Op: NoOp}, true},
		{Node{None: []Node{{None: []Node{is("side", Eq, "client")}}}}, false},
	} {
		info, cat := flow(t, "flow.rexmit")
		p, err := Compile(&tt.node, info, cat)
		if err != nil {
			t.Errorf("%s: %v", Explain(&tt.node), err)
			continue
		}
		if got := p(rexmit()); got != tt.want {
			t.Errorf("%s is %v", Explain(&tt.node), got)
		}
	}
}

// TestAbsent decides on an event whose packet and connection are missing.
func TestAbsent(t *testing.T) {
	t.Parallel()
	info, cat := flow(t, "flow.tcp_state_change")
	for _, tt := range []struct {
		node Node
		want bool
	}{
		{is("pkt.len", Gt, 0), false},
		{is("pkt.len", Ne, 0), true},
		{is("pkt.payload", Ne, "x"), true},
		{is("pkt.payload", Regex, ""), false},
		{is("pkt", Present), false},
		{is("pkt", Present, false), true},
		{is("pkt.len", Present, false), true},
		{is("client.ip", Eq, "10.0.0.1"), false},
		{is("client.ip", Ne, "10.0.0.1"), true},
		{is("client", Present, false), true},
		{is("tags", Present), false},
		{is("new", Eq, "closed"), true},
		{Node{Path: []string{"pkt"}, All: []Node{is("len", Ne, 1), is("seq", Ne, 1)}}, true},
		{Node{Path: []string{"pkt"}, All: []Node{is("len", Ne, 1), is("seq", Eq, 0)}}, false},
		{Node{Path: []string{"pkt"}, Any: []Node{is("len", Ne, 1), is("seq", Eq, 0)}}, true},
		{Node{Path: []string{"pkt"}, None: []Node{is("len", Eq, 0), is("seq", Eq, 0)}}, true},
		{Node{Path: []string{"pkt"}, None: []Node{is("len", Ne, 0), is("seq", Eq, 0)}}, false},
	} {
		p, err := Compile(&tt.node, info, cat)
		if err != nil {
			t.Fatalf("%s: %v", Explain(&tt.node), err)
		}
		if got := p(&flowev.TCPStateChange{}); got != tt.want {
			t.Errorf("%s is %v", Explain(&tt.node), got)
		}
	}
}

// TestSeconds: a number of seconds means the nanoseconds that it is nearest to,
// though few decimal fractions are binary ones.
func TestSeconds(t *testing.T) {
	t.Parallel()
	info, cat := flow(t, "flow.rexmit")
	for ms := range 3000 {
		n := is("duration", Eq, float64(ms)/1000)
		p, err := Compile(&n, info, cat)
		if err != nil {
			t.Fatal(err)
		}
		e := rexmit()
		e.C.(*conn).duration = time.Duration(ms) * time.Millisecond
		if !p(e) {
			t.Errorf("%d ms are not %s", ms, Explain(&n))
		}
	}
}

func TestNoMatch(t *testing.T) {
	t.Parallel()
	info, cat := flow(t, "flow.rexmit")
	p, err := Compile(nil, info, cat)
	if err != nil || !p(rexmit()) {
		t.Errorf("no match at all does not hold: %v", err)
	}
}

// TestOrder makes sure that what is cheap is asked first, that an object is
// fetched once for several conditions, and that alternatives stop at the first.
func TestOrder(t *testing.T) {
	t.Parallel()
	info, cat := flow(t, "flow.rexmit")
	n := all(
		is("pkt.payload", Regex, "HTTP"),
		is("client.ip", Eq, spy{}),
		is("pkt.len", Eq, 1),
		is("client.port", Eq, 40000),
		is("side", Eq, "server"),
		is("pkt.seq", Gt, 0),
		is("client.bytes", Gt, 0),
	)
	p, err := Compile(n, info, cat)
	if err != nil {
		t.Fatal(err)
	}
	e := rexmit()
	counted := &counting{Conn: e.C}
	e.C = counted
	if p(e) {
		t.Fatal("a packet of 1500 bytes is 1 long")
	}
	if counted.clients > 1 {
		t.Errorf("the client was fetched %d times", counted.clients)
	}
	n.All[2] = is("pkt.len", Eq, 1500)
	if p, err = Compile(n, info, cat); err != nil {
		t.Fatal(err)
	}
	if counted.clients = 0; !p(e) || counted.clients != 2 {
		t.Errorf("the client was fetched %d times, want once for what is cheap and once for the store", counted.clients)
	}
	n = &Node{Any: []Node{is("client.ip", Eq, spy{refuse: t}), is("side", Eq, "server")}}
	if p, err = Compile(n, info, cat); err != nil || !p(e) {
		t.Errorf("alternatives do not hold: %v", err)
	}
}

// counting counts how often the client is fetched.
type counting struct {
	flowev.Conn
	clients int
}

func (c *counting) Client() flowev.Peer {
	c.clients++
	return c.Conn.Client()
}

// spy is a store that has everything, and complains when it is asked in vain.
type spy struct {
	addrs
	refuse *testing.T
}

func (s spy) HasIP(netip.Addr) bool {
	if s.refuse != nil {
		s.refuse.Error("the store was asked before the event's own field")
	}
	return true
}

func TestAllocations(t *testing.T) {
	info, cat := flow(t, "flow.rexmit")
	ports := is("client.port", Ne)
	nets := is("client.ip", CIDR)
	hosts := is("client.ip", Eq, "10.0.0.1")
	names := is("tags", Eq, "vip")
	starts := is("pkt.payload", Prefix, "GET ")
	for i := range 200 {
		ports.Values = append(ports.Values, Number(float64(2*i)))
		nets.Values = append(nets.Values, Text(fmt.Sprintf("10.0.%d.0/24", i)))
		hosts.Values = append(hosts.Values, Text(fmt.Sprintf("10.1.%d.7", i)))
		names.Values = append(names.Values, Text(fmt.Sprintf("name-%d", i)))
		starts.Values = append(starts.Values, Text(fmt.Sprintf("VERB%d ", i)))
	}
	for _, n := range []*Node{
		all(is("client.port", Eq, 40000), is("pkt.len", Gt, 1400)),
		all(ports, nets, hosts, names, starts),
		all(is("client.ip", Eq, addrs{addr("10.0.0.1"): true}), is("client.ip", Eq, "10.0.0.1"), is("server.ip", CIDR, "2001:db8::/32")),
		all(is("server.endpoint", Eq, "[2001:db8::5]:443", "[2001:db8::5]:444"), is("client.endpoint", CIDR, "10.0.0.0/8")),
		all(is("side", Eq, "server"), is("kind", Ne, "fin"), is("proto", Prefix, "tc")),
		all(is("tags", Eq, words{"vip": true}), is("tags", Ne, "calm"), is("cid", Glob, "1:?"), is("cid", Contains, ":", "1")),
		all(is("pkt.payload", Suffix, "\n", "\r"), is("pkt.payload", Contains, "HTTP"), is("pkt.payload", Glob, "G?T *HTTP/1.[01]*"), is("pkt.payload", Eq, words{"GET / HTTP/1.1\r\n": true})),
		all(is("pkt.payload", Regex, `^GET \S+ HTTP/1\.[01]\r\n`)),
		all(is("duration", Gt, "1s"), is("client.port", Eq, numbers{40000: true}), is("pkt", Present)),
		{None: []Node{is("client.port", Eq, 80), is("pkt.len", Lt, 1400)}},
		{Any: []Node{is("client.port", Eq, 80), is("pkt.len", Lt, 1400), is("side", Eq, "server")}},
	} {
		p, err := Compile(n, info, cat)
		if err != nil {
			t.Fatalf("%s: %v", Explain(n), err)
		}
		e := any(rexmit())
		if !p(e) {
			t.Errorf("%s does not hold, so not all of it was measured", Explain(n))
		}
		if got := testing.AllocsPerRun(200, func() { p(e) }); got != 0 {
			t.Errorf("%s: %v allocations", Explain(n), got)
		}
	}
}

// TestSpeed is a coarse guard: two conditions on numbers take far less than
// entering a script does.
func TestSpeed(t *testing.T) {
	if testing.Short() {
		t.Skip("measures time")
	}
	info, cat := flow(t, "flow.rexmit")
	p, err := Compile(all(is("client.port", Eq, 40000), is("pkt.len", Gt, 1400)), info, cat)
	if err != nil {
		t.Fatal(err)
	}
	e := any(rexmit())
	best := time.Duration(math.MaxInt64)
	const runs = 20000
	for range 20 {
		best = min(best, cputime.Of(func() {
			for range runs {
				p(e)
			}
		})/runs)
	}
	// Some 15 ns on the machine this was written on; the race detector costs a
	// multiple.
	if best > 400*time.Nanosecond {
		t.Errorf("two numeric conditions take %v", best)
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	ops := map[Op]bool{}
	for _, w := range Words() {
		if seen[w.Name] || w.Op == NoOp || w.Doc == "" || w.Max != 0 && w.Max < w.Min {
			t.Errorf("word %+v", w)
		}
		if !strings.Contains(w.Example, "is."+w.Name) {
			t.Errorf("the example of %s does not show it", w.Name)
		}
		seen[w.Name], ops[w.Op] = true, true
	}
	for _, name := range strings.Fields("prefix suffix contains glob regex cidr range one_of none_of present gt lt") {
		if !seen[name] {
			t.Errorf("no word %s", name)
		}
	}
	for op := Eq; op <= Present; op++ {
		if !ops[op] {
			t.Errorf("no word for test %d", op)
		}
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	many := is("client.port", Eq)
	for i := range 100 {
		many.Values = append(many.Values, Number(float64(i)))
	}
	for _, tt := range []struct {
		node *Node
		want string
	}{
		{nil, "always"},
		{&Node{}, "always"},
		{all(Node{}, Node{All: []Node{}}), "always"},
		{all(is("client.ip", Eq, addrs{}), is("pkt.len", Gt, 1400)), "client.ip in blocked and pkt.len > 1400"},
		{&many, "client.port in {0, 1, 2, 3, 4, 5, 6, 7, ... 92 more}"},
		{&Node{Path: split("client"), All: []Node{is("port", Range, 1, 1023), is("ip", CIDR, "10.0.0.0/8")}}, "client.port in 1..1023 and client.ip in 10.0.0.0/8"},
		{&Node{Any: []Node{*all(is("a", Eq, 1), is("b", Eq, 2)), is("c", Eq, true)}}, "(a = 1 and b = 2) or c = true"},
		{all(is("a", Eq, 1), Node{Any: []Node{is("b", Ne, "x"), is("c", Present)}}), `a = 1 and (b != "x" or c present)`},
		{all(is("a", Eq, 1), Node{Any: []Node{is("b", Ne, "x")}}), `a = 1 and b != "x"`},
		{&Node{Path: split("m"), None: []Node{is("x", Prefix, "a", "b"), is("y", Present, false)}}, `not (m.x prefix {"a", "b"} or m.y absent)`},
		{&Node{Any: []Node{is("a", Eq, 1), {}}}, "a = 1 or always"},
		{&Node{Any: []Node{}}, "never"},
		{all(is("ip", CIDR, "10.0.0.0/8", "::1"), is("n", Ne, 1, 2), is("s", Ne, words{})), `ip in {"10.0.0.0/8", "::1"} and n not in {1, 2} and s not in names`},
		{all(is("s", Suffix, "x"), is("s", Contains, "x"), is("s", Glob, "*"), is("s", Regex, "^x\n")), `s suffix "x" and s contains "x" and s glob "*" and s regex "^x\n"`},
		{all(is("n", Ge, 1), is("n", Le, 2.5), is("n", Lt, 1e300)), "n >= 1 and n <= 2.5 and n < 1e+300"},
		{all(is("t", Range, "1s", "x y")), `t in "1s".."x y"`},
	} {
		if got := Explain(tt.node); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
	deep := Node{Op: Eq, Path: []string{"n"}, Values: []Value{Number(1)}}
	for range 100_000 {
		deep = Node{All: []Node{deep}}
	}
	if got := Explain(&deep); got != "..." {
		t.Errorf("a deep node is %q", got)
	}
}
