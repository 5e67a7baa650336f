package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/hookd/hookd/stacks/loop"
	"github.com/hookd/hookd/stacks/netio"
)

// What one daemon hands to the next goes over a Unix connection, the old one on the left:
//
//	SOCKET ->            a listening socket, for each
//	LISTEN ->            that was all
//	       <-  READY     scripts are loaded, listeners are open
//	CONN   ->            a connection, for each
//	DONE   ->            that was all
//	       <-  TAKEN     from here on they are the new one's, and the old one ends
//
// Until TAKEN the old one goes on, with all connections, if the new one is gone. A message is the length of its text in four bytes, with which a file may come,
// the text as JSON, and the bytes whose number it says.
const (
	passSocket = "socket"
	passListen = "listen"
	passReady  = "ready"
	passConn   = "conn"
	passDone   = "done"
	passTaken  = "taken"
)

// Bounds of what the other side may say.
const (
	passMaxText  = 4 << 20
	passMaxBytes = 256 << 20
)

// passPatience is how long either side waits for the other; the new one loads its scripts
// meanwhile.
const passPatience = time.Minute

// parcel is a message.
type parcel struct {
	What   string                `json:"what"`
	Socket *loop.ListeningSocket `json:"socket,omitempty"`
	Conn   *loop.Passenger       `json:"conn,omitempty"`
	Fresh  int                   `json:"fresh,omitempty"`
	Unread int                   `json:"unread,omitempty"`
	Queued int                   `json:"queued,omitempty"`
	Stay   int                   `json:"stay,omitempty"` // connections that end with the old one
}

// say writes a message.
func (p *parcel) say(c *net.UnixConn) error {
	var f *os.File
	var unread, queued []byte
	switch {
	case p.Socket != nil:
		f = p.Socket.File
	case p.Conn != nil:
		f, unread, queued = p.Conn.File, p.Conn.Unread, p.Conn.Queued
		p.Fresh, p.Unread, p.Queued = p.Conn.Fresh, len(unread), len(queued)
	}
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	if err := c.SetDeadline(time.Now().Add(passPatience)); err != nil {
		return err
	}
	if err := passFile(c, binary.BigEndian.AppendUint32(nil, uint32(len(text))), f); err != nil {
		return err
	}
	whole := net.Buffers{text, unread, queued}
	_, err = whole.WriteTo(c)
	return err
}

// hear reads a message.
func hear(c *net.UnixConn) (p *parcel, err error) {
	if err := c.SetDeadline(time.Now().Add(passPatience)); err != nil {
		return nil, err
	}
	var length [4]byte
	f, err := takeFile(c, length[:])
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil && f != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	n := binary.BigEndian.Uint32(length[:])
	if n > passMaxText {
		return nil, fmt.Errorf("a message of %d bytes", n)
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(c, text); err != nil {
		return nil, err
	}
	p = &parcel{}
	if err := json.Unmarshal(text, p); err != nil {
		return nil, err
	}
	if (p.Socket != nil || p.Conn != nil) != (f != nil) {
		return nil, fmt.Errorf("message %q and its file do not go together", p.What)
	}
	if p.Socket != nil {
		p.Socket.File = f
	}
	if p.Unread < 0 || p.Queued < 0 || p.Unread > passMaxBytes || p.Queued > passMaxBytes {
		return nil, fmt.Errorf("%d and %d bytes of a connection", p.Unread, p.Queued)
	}
	if p.Conn != nil {
		p.Conn.Left = &netio.Left{File: f, Fresh: p.Fresh, Unread: make([]byte, p.Unread), Queued: make([]byte, p.Queued)}
		if _, err = io.ReadFull(c, p.Conn.Unread); err == nil {
			_, err = io.ReadFull(c, p.Conn.Queued)
		}
	}
	return p, err
}

// expect reads a message of that kind.
func expect(c *net.UnixConn, what string) (*parcel, error) {
	p, err := hear(c)
	if err == nil && p.What != what {
		err = fmt.Errorf("message %q, not %q", p.What, what)
	}
	return p, err
}
