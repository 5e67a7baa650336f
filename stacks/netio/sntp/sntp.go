// Package sntp asks time servers over the loop (RFC 4330, RFC 5905): one question, one
// answer, which is checked before it is believed.
//
// Goroutines: none; questions belong to a loop's shard, and their answers are told in it.
package sntp

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/stacks/netio"
)

// Port is where time servers are.
const Port = 123

// Answer is what a server says.
type Answer struct {
	// Offset is by how much the clock that asked is slow.
	Offset time.Duration
	// Delay is how long the way there and back took.
	Delay time.Duration
	// Stratum is how far the server is from a clock, from 1 to 15.
	Stratum uint8
}

// Errors of a question.
var (
	ErrTimeout = errors.New("sntp: no answer")
	// ErrUnsynchronized says that the server does not know the time.
	ErrUnsynchronized = errors.New("sntp: the server has no time")
)

// Kiss is a server that does not want to be asked (RFC 4330 section 8), by its code, such as RATE.
type Kiss string

// Error returns the code.
func (k Kiss) Error() string { return "sntp: the server does not want to be asked: " + string(k) }

const (
	size  = 48
	epoch = 2208988800 // seconds from 1900 to 1970
)

// Ask asks a server and calls done once in the shard, later; never if cancel is
// called before. now is the clock whose offset is wanted, time.Now by default.
func Ask(l *netio.Loop, to netip.AddrPort, timeout time.Duration, now func() time.Time, done func(Answer, error)) (cancel func(), err error) {
	if now == nil {
		now = time.Now
	}
	q := &question{now: now, done: done, timers: l.Shard().Timers()}
	var p [size]byte
	p[0] = 4<<3 | 3 // version 4, a client
	// What is sent as the time is by chance: the answer has to repeat it, and it tells
	// nobody how this clock goes (RFC 9109, and what it refers to).
	_, _ = rand.Read(p[40:]) // it never fails
	copy(q.nonce[:], p[40:])
	if q.sock, err = l.Packets(netio.PacketConfig{Network: "udp", Connect: to, MaxDatagram: 512, RecvBuffer: 16 << 10}, q); err != nil {
		return nil, fmt.Errorf("sntp: ask: %w", err)
	}
	if err := q.sock.SendTo(p[:], to, netip.Addr{}); err != nil {
		q.sock.Close()
		return nil, fmt.Errorf("sntp: ask: %w", err)
	}
	q.began = now()
	q.timers.Arm(&q.timer, l.Now()+int64(timeout), func(int64) { q.end(Answer{}, ErrTimeout) })
	return func() {
		q.done = nil
		q.end(Answer{}, nil)
	}, nil
}

// question is one that is not answered.
type question struct {
	sock   *netio.Packets
	nonce  [8]byte
	now    func() time.Time
	began  time.Time
	timers *event.Timers
	timer  event.Timer
	done   func(Answer, error)
	over   bool
}

func (q *question) end(a Answer, err error) {
	if q.over {
		return
	}
	q.over = true
	q.timers.Stop(&q.timer)
	q.sock.Close()
	if q.done != nil {
		q.done(a, err)
	}
}

// Datagram is an answer, or of somebody who would like it to be one.
func (q *question) Datagram(_ *netio.Packets, p []byte, _, _ netip.AddrPort, _ bool) {
	if a, err := parse(p, q.nonce, q.began, q.now()); !errors.Is(err, errStrange) {
		q.end(a, err)
	}
}

// Unreachable says that nobody is there.
func (q *question) Unreachable(_ *netio.Packets, _ netip.AddrPort, why netio.Reason) {
	q.end(Answer{}, why)
}

// errStrange is about what is no answer to the question: an honest one may follow.
var errStrange = errors.New("sntp: no answer to the question")

// parse takes an answer apart (RFC 4330 section 5).
func parse(p []byte, nonce [8]byte, began, ended time.Time) (Answer, error) {
	if len(p) < size || p[0]&7 != 4 || [8]byte(p[24:]) != nonce {
		return Answer{}, errStrange
	}
	if p[1] == 0 {
		return Answer{}, Kiss(printable(p[12:16]))
	}
	received, sent := binary.BigEndian.Uint64(p[32:]), binary.BigEndian.Uint64(p[40:])
	if p[0]>>6 == 3 || p[1] > 15 || sent == 0 || received == 0 {
		return Answer{}, ErrUnsynchronized
	}
	t2, t3 := clock(received, began), clock(sent, began)
	a := Answer{Stratum: p[1]}
	a.Offset = (t2.Sub(began) + t3.Sub(ended)) / 2
	a.Delay = max(0, ended.Sub(began)-t3.Sub(t2))
	return a, nil
}

// clock returns the time that a timestamp says, in the era that is nearest.
func clock(t uint64, near time.Time) time.Time {
	at := time.Unix(int64(t>>32)-epoch, int64(t&0xffffffff*1e9>>32))
	for at.Unix() < near.Unix()-1<<31 {
		at = time.Unix(at.Unix()+1<<32, int64(at.Nanosecond()))
	}
	return at
}

func printable(p []byte) string {
	out := make([]byte, 0, len(p))
	for _, b := range p {
		if b > ' ' && b < 0x7f {
			out = append(out, b)
		}
	}
	return string(out)
}
