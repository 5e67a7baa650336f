package netio

import (
	"net/netip"
	"os"
	"time"
)

// interest says what of a socket its owner wants to hear about, readiness what
// there is: bits of the same meaning. gone is the peer's end of its stream, hung
// that both streams ended, broken an error; the last two are heard of any socket
// that is watched for anything. Who asks for edges knows that there is nothing to be
// read, and need be told only when something comes; he hears of urgent bytes too, at
// which a read is short although there are more.
type (
	interest  uint8
	readiness = interest
)

const (
	readable interest = 1 << iota
	writable
	gone
	hung
	broken
	urgent
	edges
)

// ready says that the socket of a slot is ready. Readiness is told again as long
// as it lasts and is wanted, but for edges.
type ready struct {
	id   ID
	what readiness
}

// backend is a way to the system's sockets for one loop. Its methods but wake are
// called by the loop's goroutine, or with its shard entered.
type backend interface {
	// wait fills out with what is ready, at most len(out), and waits for it at most
	// so long; less than 0 is for ever. A wake ends it, is reported, and is used up.
	wait(out []ready, timeout time.Duration) (n int, woken bool, err error)
	// wake ends a wait, or the next one. Any goroutine.
	wake()
	// listen opens a socket that several loops can sit at.
	listen(cfg *SocketConfig) (door, error)
	// dial begins to connect.
	dial(to target, opt *Options, bind netip.AddrPort) (wire, error)
	// packets opens a UDP socket.
	packets(cfg *PacketConfig) (gramWire, error)
	close() error
}

// socket is what all sockets of a loop can do.
type socket interface {
	// attach gives the socket its slot; before that nothing is told.
	attach(id ID)
	// watch says what is wanted from now on; nothing of a socket that was never
	// watched is heard.
	watch(want interest) error
}

// wire is a stream socket.
type wire interface {
	socket
	// connected returns errAgain while it is not decided, and then the outcome.
	connected() error
	// read returns io.EOF at the end of the stream, errAgain if there is nothing.
	read(p []byte) (int, error)
	// write returns errAgain if nothing fits. The next call begins with the same
	// bytes then.
	write(bufs [][]byte) (int, error)
	local() netip.AddrPort
	// shut ends the stream to the peer.
	shut() error
	// close gives the socket back; with reset the peer hears that at once, and what
	// is under way is dropped.
	close(reset bool)
}

// door is a listening socket; a loop takes a seat at it.
type door interface {
	sit(b backend) (seat, error)
	addr() netip.AddrPort
	path() string
	// file returns a copy for another process.
	file() (*os.File, error)
	// keep says whether the path of a Unix socket stays when the door is closed.
	keep(path bool)
	close() error
}

// seat is one loop's place at a door.
type seat interface {
	socket
	// accept returns errAgain if nobody waits and errExhausted if nobody can be let in.
	accept(opt *Options) (wire, netip.AddrPort, error)
	// refuse lets one in who waits and shows the way out.
	refuse() error
	leave()
}

// datagram is one that was received. Its bytes are lent until the next recv.
type datagram struct {
	data     []byte
	from, to netip.AddrPort
	cut      bool
}

// outgram is a datagram to be sent. from is the address to send from, or none.
type outgram struct {
	data []byte
	to   netip.AddrPort
	from netip.Addr
	peer ID
	home *chunk
}

// gramWire is a datagram socket.
type gramWire interface {
	socket
	// recv fills batch and returns how many came; errAgain if none.
	recv(batch []datagram) (int, error)
	// send sends from the front of batch and returns how many went. An error is
	// about the first that did not go.
	send(batch []outgram) (int, error)
	// complaints calls tell with what the network said about datagrams sent before.
	complaints(tell func(peer netip.AddrPort, err error))
	local() netip.AddrPort
	close()
}

// target is where a connection goes: an address or a path.
type target struct {
	addr netip.AddrPort
	path string
}
