package flow

import (
	"errors"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
)

var errNoSide = errors.New("client or server expected, not none")

// sides returns which ends a script means: both where it names none.
func sides(side flowev.Side, given bool) (client, server bool, err error) {
	if given && side == flowev.SideNone {
		return false, false, errNoSide
	}
	return side != flowev.SideServer, side != flowev.SideClient, nil
}

// Stop ends the events of a side, of both where none is given, and the keeping of the bytes that it
// gets. The emulated stacks go on, and so does what is decided by them: conn_end comes.
func (c *Conn) Stop(_ *event.Caller, side flowev.Side, hasSide bool) error {
	client, server, err := sides(side, hasSide)
	switch {
	case c.ended:
		return errEnded
	case err != nil:
		return err
	}
	c.client.stop(client)
	c.server.stop(server)
	return nil
}

func (p *Peer) stop(now bool) {
	p.stopped = p.stopped || now
	p.other().sent.unread = p.stopped
}

// Stop ends the datagram events of a side, of both where none is given.
func (x *Exchange) Stop(_ *event.Caller, side flowev.Side, hasSide bool) error {
	client, server, err := sides(side, hasSide)
	switch {
	case x.ended:
		return errEnded
	case err != nil:
		return err
	}
	x.client.stopped = x.client.stopped || client
	x.server.stopped = x.server.stopped || server
	return nil
}

// kept reports whether what becomes readable is kept for those who read streams.
func (t *stream) kept(m *memory) bool { return m.keep && !t.unread }
