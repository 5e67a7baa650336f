package main

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"

	"github.com/hookd/hookd/stacks/flow/capture"
	"github.com/hookd/hookd/stacks/flow/craft"
	"github.com/hookd/hookd/stacks/flow/packet/packettest"
)

// traffic makes a capture of connections that run at the same time, always the
// same for the same number of packets: handshakes, requests and answers of many
// sizes, repeated segments, closes, resets, connections left open, and datagrams
// between them.
type traffic struct {
	rng     *rand.Rand
	out     *capture.Writer
	now     int64
	packets int
	err     error
	open    []*talk
	made    uint32
	body    []byte
	truth   truth
}

// talk is one connection under way.
type talk struct {
	conn  *craft.Conn
	left  int // exchanges to come
	id    connection
	small bool
}

// The shape of the traffic.
const (
	atOnce       = 400
	firstPacket  = 1_700_000_000_000_000_000
	packetEveryN = 250_000 // nanoseconds
)

// makeCapture writes a capture of about so many packets to the file at path and
// returns which connections it has.
func makeCapture(path string, packets int) (truth, error) {
	file, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	buf := bufio.NewWriterSize(file, 1<<20)
	out, err := capture.NewWriter(buf, capture.LinkTypeEthernet, false)
	if err != nil {
		return nil, err
	}
	t := &traffic{
		rng: rand.New(rand.NewPCG(1, 2)), out: out, now: firstPacket,
		body: make([]byte, 64<<10), truth: truth{},
	}
	for i := range t.body {
		t.body[i] = byte(t.rng.Uint32())
	}
	for t.packets < packets && t.err == nil {
		t.step()
	}
	for _, k := range t.open {
		t.truth[k.id]++
	}
	if t.err == nil {
		t.err = buf.Flush()
	}
	if t.err != nil {
		return nil, fmt.Errorf("make capture: %w", t.err)
	}
	return t.truth, nil
}

// step does the next thing of some connection.
func (t *traffic) step() {
	if len(t.open) < atOnce {
		t.start()
		return
	}
	if t.rng.IntN(8) == 0 {
		t.datagram()
		return
	}
	i := t.rng.IntN(len(t.open))
	k := t.open[i]
	if k.left > 0 {
		k.left--
		t.exchange(k)
		return
	}
	if t.rng.IntN(5) == 0 {
		k.conn.RST(craft.Server)
	} else {
		k.conn.Close()
	}
	t.truth[k.id]++
	t.open[i] = t.open[len(t.open)-1]
	t.open = t.open[:len(t.open)-1]
}

// start opens a connection between addresses of its own.
func (t *traffic) start() {
	t.made++
	n := t.made
	client := netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})
	server := netip.AddrFrom4([4]byte{192, 0, 2, byte(n % 50)})
	if n%10 == 0 {
		client = netip.AddrFrom16([16]byte{0: 0xfd, 12: byte(n >> 24), 13: byte(n >> 16), 14: byte(n >> 8), 15: byte(n)})
		server = netip.AddrFrom16([16]byte{0: 0xfd, 1: 1, 15: byte(n % 50)})
	}
	k := &talk{id: connection{client: uint16(1024 + n%60000), server: []uint16{80, 443, 22, 25}[n%4]}, small: n%3 != 0}
	k.left = 1 + t.rng.IntN(20)
	k.conn, t.err = craft.New(craft.Config{
		Client: netip.AddrPortFrom(client, k.id.client), Server: netip.AddrPortFrom(server, k.id.server),
		ClientISN: t.rng.Uint32() | 1, ServerISN: t.rng.Uint32() | 1,
	}, t.frame)
	if t.err == nil {
		k.conn.Open()
		t.open = append(t.open, k)
	}
}

// exchange sends a request and its answer, of which a segment may come twice.
func (t *traffic) exchange(k *talk) {
	request, answer := 20+t.rng.IntN(400), 50+t.rng.IntN(1200)
	if !k.small {
		answer += t.rng.IntN(30_000)
	}
	t.send(k, craft.Client, request)
	t.send(k, craft.Server, answer)
	if t.rng.IntN(12) == 0 && t.err == nil {
		t.err = k.conn.Resend(craft.Server)
	}
	k.id.clientBytes += uint64(request)
	k.id.serverBytes += uint64(answer)
}

func (t *traffic) send(k *talk, from craft.Side, n int) {
	at := t.rng.IntN(len(t.body) - n)
	if err := k.conn.Send(from, t.body[at:at+n]); t.err == nil {
		t.err = err
	}
}

// datagram asks a name server.
func (t *traffic) datagram() {
	n := t.rng.Uint32()
	client := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 200, 0, byte(n)}), 1024+uint16(n>>8)%1000)
	server := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, 53}), 53)
	t.frame(packettest.UDP(client, server, t.body[:40]))
	t.frame(packettest.UDP(server, client, t.body[:160]))
}

// frame writes one frame.
func (t *traffic) frame(data []byte) {
	t.now += packetEveryN
	t.packets++
	if err := t.out.WriteFrame(&capture.Frame{Data: data, WireLen: len(data), TS: t.now, Link: capture.LinkTypeEthernet}); t.err == nil {
		t.err = err
	}
}
