package netlink

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"
)

// receiveSize is what one read takes: the kernel's dumps fill at most 32 KiB.
const receiveSize = 64 << 10

// Conn is a netlink socket for requests and their answers.
type Conn struct {
	mu  sync.Mutex
	fd  int
	seq uint32
	in  []byte
}

// Dial opens a socket of a netlink protocol (NETLINK_*) in the network namespace
// of the calling thread.
func Dial(protocol int) (*Conn, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		return nil, fmt.Errorf("netlink: open protocol %d: %w", protocol, err)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("netlink: bind protocol %d: %w", protocol, err)
	}
	// A lost answer would block its reader for ever.
	_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 5})
	// Refused without privilege, and then the default has to do: 212,992 bytes.
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, 1<<20)
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 4<<20)
	return &Conn{fd: fd, seq: 1, in: make([]byte, receiveSize)}, nil
}

// Close closes the socket. What the kernel ties to it (tables with an owner) goes.
func (c *Conn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fd < 0 {
		return nil
	}
	err := unix.Close(c.fd)
	c.fd = -1
	return err
}

// Execute sends all messages in one piece and waits for the acknowledgement of the
// last one that asked for it (NLM_F_ACK). It returns the first error that the
// kernel reported.
func (c *Conn) Execute(b *Builder) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	first, last, err := c.send(b)
	if err != nil || last == 0 {
		return err
	}
	var failed error
	for {
		done, err := c.acks(first, last, &failed)
		if err != nil {
			return err
		}
		if done {
			return failed
		}
	}
}

// acks reads one datagram of answers. It is done with the last acknowledgement, and
// with an error of the first message: a batch that is refused as a whole ends there.
func (c *Conn) acks(first, last uint32, failed *error) (done bool, err error) {
	n, err := c.receive()
	if err != nil {
		return true, errors.Join(*failed, err)
	}
	for p := c.in[:n]; len(p) >= HeaderLen; {
		m, rest, ok := cut(p)
		if !ok {
			return true, errors.Join(*failed, fmt.Errorf("netlink: read answer: %w", unix.EBADMSG))
		}
		p = rest
		if m.Type != unix.NLMSG_ERROR || m.seq < first || m.seq > last || len(m.Data) < 4 {
			continue
		}
		code := int32(binary.NativeEndian.Uint32(m.Data))
		if code != 0 && *failed == nil {
			*failed = unix.Errno(-code)
		}
		if m.seq == last || m.seq == first && code != 0 {
			done = true
		}
	}
	return done, nil
}

// Dump sends one request and hands over each message of the answer, until the
// kernel says that it was the last, or, for a request without NLM_F_DUMP, until its
// acknowledgement.
func (c *Conn) Dump(b *Builder, each func(Message) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, last, err := c.send(b)
	if err != nil {
		return err
	}
	var failed error
	for {
		n, err := c.receive()
		if err != nil {
			return err
		}
		done, err := dumped(c.in[:n], last, &failed, each)
		if err != nil {
			return err
		}
		if done {
			return failed
		}
	}
}

// dumped hands over the messages of one datagram. After an error of the function it
// reads on, so that the next request does not find what is left of this one.
func dumped(p []byte, seq uint32, failed *error, each func(Message) error) (done bool, err error) {
	for len(p) >= HeaderLen {
		m, rest, ok := cut(p)
		if !ok {
			return true, fmt.Errorf("netlink: read dump: %w", unix.EBADMSG)
		}
		p = rest
		switch {
		case m.seq != seq:
		case m.Type == unix.NLMSG_DONE:
			return true, nil
		case m.Type == unix.NLMSG_ERROR:
			if len(m.Data) >= 4 {
				if code := int32(binary.NativeEndian.Uint32(m.Data)); code != 0 {
					return true, unix.Errno(-code)
				}
			}
			return true, nil
		case *failed == nil:
			*failed = each(m)
		}
	}
	return false, nil
}

// send numbers the messages and sends them. last is 0 where none asks for an answer.
func (c *Conn) send(b *Builder) (first, last uint32, err error) {
	if c.fd < 0 {
		return 0, 0, fmt.Errorf("netlink: send: %w", unix.EBADF)
	}
	first = c.seq
	for p := b.buf; len(p) >= HeaderLen; {
		size := int(binary.NativeEndian.Uint32(p))
		binary.NativeEndian.PutUint32(p[8:], c.seq)
		if binary.NativeEndian.Uint16(p[6:])&(unix.NLM_F_ACK|unix.NLM_F_DUMP) != 0 {
			last = c.seq
		}
		c.seq++
		p = p[(size+3)&^3:]
	}
	if c.seq > 1<<31 {
		c.seq = 1
	}
	err = unix.Sendto(c.fd, b.buf, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	if err != nil {
		return 0, 0, fmt.Errorf("netlink: send %d bytes: %w", len(b.buf), err)
	}
	return first, last, nil
}

func (c *Conn) receive() (int, error) {
	for {
		n, _, err := unix.Recvfrom(c.fd, c.in, 0)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return 0, fmt.Errorf("netlink: receive: %w", err)
		default:
			return n, nil
		}
	}
}
