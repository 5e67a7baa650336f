package dns

import (
	"encoding/binary"

	"github.com/hookd/hookd/stacks/netio"
)

// tcpFlight is a flight over TCP (RFC 7766): the answer did not fit in a datagram.
type tcpFlight struct {
	netio.Base
	f *flight
}

// overTCP asks the server over TCP, and reports whether that was begun.
func (f *flight) overTCP() bool {
	f.hangUp()
	p, err := f.question()
	if err != nil {
		return false
	}
	c, err := f.r.loop.Dial(netio.DialConfig{
		Network: "tcp", Address: f.server.String(),
		Options: netio.Options{Connect: f.r.set.Timeout, RecvLimit: 2 + 65535},
	}, tcpFlight{f: f})
	if err != nil {
		return false
	}
	f.r.stats.TCP++
	f.r.stats.Sent++
	f.conn = c
	// It is queued until the connection is there; that it is too much cannot be.
	_ = c.Send(binary.BigEndian.AppendUint16(nil, uint16(len(p))))
	_ = c.Send(p)
	f.arm(2 * f.r.set.Timeout)
	return true
}

// Recv takes the answer when it is whole.
func (t tcpFlight) Recv(c *netio.Conn, _ int) {
	p := c.Bytes()
	if len(p) < 2 || len(p) < 2+int(binary.BigEndian.Uint16(p)) {
		return
	}
	n := 2 + int(binary.BigEndian.Uint16(p))
	if t.f.conn == c {
		t.f.heard(p[2:n])
	}
	c.Discard(n)
}

// Close goes on to the next server if there was no answer.
func (t tcpFlight) Close(c *netio.Conn, _ netio.Reason) {
	if f := t.f; f.conn == c && !f.over {
		f.conn = nil
		f.fails(ErrServers)
	}
}
