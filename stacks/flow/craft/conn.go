package craft

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/hookd/hookd/stacks/flow/packet"
	"github.com/hookd/hookd/stacks/flow/packet/packettest"
)

// MSS is how many bytes of payload a frame carries at most.
const MSS = 1460

// MaxSend bounds the bytes of one call that sends.
const MaxSend = 16 << 20

// Side is one end of a connection.
type Side uint8

// The ends.
const (
	Client Side = iota
	Server
)

// other returns the end across from s.
func (s Side) other() Side { return 1 - s }

// ErrNothingSent is returned by Resend where that end has sent nothing yet.
var ErrNothingSent = errors.New("this end has sent nothing yet")

// Conn is a TCP connection made by hand.
type Conn struct {
	take func(frame []byte)
	opts []packettest.Option
	ends [2]end
}

// end is what one side would remember.
type end struct {
	addr netip.AddrPort
	next uint32 // sequence number of the next byte it sends
	// last is the latest segment it sent with anything to repeat.
	last segment
}

type segment struct {
	seq     uint32
	flags   packet.Flags
	payload []byte
}

// Config describes a connection.
type Config struct {
	Client, Server netip.AddrPort
	VLAN           uint16 // 0 for none
	// ClientISN and ServerISN are the initial sequence numbers; 0 means 1000
	// and 5000.
	ClientISN, ServerISN uint32
}

// New returns a connection that has sent nothing. Every frame it makes is
// handed to take, an Ethernet frame that is valid during the call.
func New(cfg Config, take func(frame []byte)) (*Conn, error) {
	c, s := cfg.Client, cfg.Server
	switch {
	case !c.IsValid() || !s.IsValid():
		return nil, errors.New("craft: a connection needs the addresses and ports of both ends")
	case c.Addr().Unmap().Is4() != s.Addr().Unmap().Is4():
		return nil, fmt.Errorf("craft: %s and %s are of different IP versions", c, s)
	}
	conn := &Conn{take: take}
	if cfg.VLAN != 0 {
		conn.opts = append(conn.opts, packettest.VLAN(cfg.VLAN))
	}
	conn.ends[Client] = end{addr: unmap(c), next: orDefault(cfg.ClientISN, 1000)}
	conn.ends[Server] = end{addr: unmap(s), next: orDefault(cfg.ServerISN, 5000)}
	return conn, nil
}

func unmap(ap netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

func orDefault(isn, otherwise uint32) uint32 {
	if isn == 0 {
		return otherwise
	}
	return isn
}

// Open makes the three packets of a handshake.
func (c *Conn) Open() {
	c.SYN()
	c.SYNACK()
	c.ACK(Client)
}

// SYN makes the client's SYN.
func (c *Conn) SYN() { c.emit(Client, packet.SYN, nil) }

// SYNACK makes the server's answer to it.
func (c *Conn) SYNACK() { c.emit(Server, packet.SYN|packet.ACK, nil) }

// ACK makes a bare acknowledgment of all that the other end sent.
func (c *Conn) ACK(from Side) { c.emit(from, packet.ACK, nil) }

// Send makes the segments that carry payload and the other end's
// acknowledgment.
func (c *Conn) Send(from Side, payload []byte) error {
	if len(payload) > MaxSend {
		return fmt.Errorf("craft: send %d bytes: %d at most", len(payload), MaxSend)
	}
	for len(payload) > 0 {
		n := min(len(payload), MSS)
		flags := packet.ACK
		if n == len(payload) {
			flags |= packet.PSH
		}
		c.emit(from, flags, payload[:n])
		payload = payload[n:]
	}
	c.ACK(from.other())
	return nil
}

// Resend repeats the latest segment of that end that carried anything.
func (c *Conn) Resend(from Side) error {
	s := c.ends[from].last
	if s.flags == 0 {
		return fmt.Errorf("craft: resend: %w", ErrNothingSent)
	}
	c.put(from, s)
	return nil
}

// FIN ends what that side sends.
func (c *Conn) FIN(from Side) {
	c.emit(from, packet.FIN|packet.ACK, nil)
	c.ACK(from.other())
}

// Close ends both directions in order, the client first.
func (c *Conn) Close() {
	c.emit(Client, packet.FIN|packet.ACK, nil)
	c.emit(Server, packet.FIN|packet.ACK, nil)
	c.ACK(Client)
}

// RST breaks the connection off.
func (c *Conn) RST(from Side) { c.emit(from, packet.RST|packet.ACK, nil) }

// emit makes the next segment of an end.
func (c *Conn) emit(from Side, flags packet.Flags, payload []byte) {
	e := &c.ends[from]
	s := segment{seq: e.next, flags: flags, payload: payload}
	e.next += uint32(len(payload))
	if flags&(packet.SYN|packet.FIN) != 0 {
		e.next++
	}
	if e.next != s.seq {
		s.payload = append([]byte(nil), payload...)
		e.last = s
	}
	c.put(from, s)
}

func (c *Conn) put(from Side, s segment) {
	var ack uint32
	if s.flags&packet.ACK != 0 {
		ack = c.ends[from.other()].next
	}
	opts := c.opts
	if s.flags&packet.SYN != 0 {
		opts = append(opts[:len(opts):len(opts)], packettest.MSS(MSS))
	}
	c.take(packettest.TCP(c.ends[from].addr, c.ends[from.other()].addr, s.seq, ack, s.flags, s.payload, opts...))
}
