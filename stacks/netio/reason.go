package netio

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
)

// Why says for which kind of reason a connection ended.
type Why uint8

// The kinds of reasons.
const (
	Local       Why = iota // this side closed it
	EOF                    // the peer ended its stream, and what was queued went out
	Reset                  // the peer reset it, or the kernel gave it up for that
	Refused                // nobody listens there (ECONNREFUSED, ICMP port unreachable)
	Unreachable            // no way to the peer (ICMP, no route)
	Timeout                // a deadline; Reason.What says which
	Limit                  // a limit; Reason.What says which
	Rejected               // the handler's verdict at accept
	Resolve                // the name has no address
	Stopped                // the loop ended
	Handshake              // the TLS handshake failed; Reason.What says how
	Failed                 // any other error of the system
)

var whyNames = [...]string{
	"local", "eof", "reset", "refused", "unreachable", "timeout", "limit", "rejected", "resolve", "stopped", "handshake", "failed",
}

// String returns the kind in lower case.
func (w Why) String() string {
	if int(w) < len(whyNames) {
		return whyNames[w]
	}
	return fmt.Sprintf("why(%d)", uint8(w))
}

// Reason is why a connection ended. The zero value means that this side closed it.
type Reason struct {
	Why Why
	// What names the deadline or limit: "connect", "handshake", "idle", "send", "hold",
	// "linger", "resolve", "peers", "memory", "handshakes", or what [Conn.Deadline] was
	// given. Of a handshake: "not_tls", "certificate", "alert" (the peer refused), "left"
	// (the peer did), "refused" (Listener.Hello did), "proxy" (of a SOCKS server or a
	// PROXY header), "protocol". Of a reset: "truncated" for a TLS peer that left in the
	// middle of a record. Of a failure: "tls" for one that breaks that protocol.
	What string
	// Err is the system's error, nil if there was none.
	Err error
}

// String returns the kind and what it was about, such as "timeout:idle".
func (r Reason) String() string {
	if r.What == "" {
		return r.Why.String()
	}
	return r.Why.String() + ":" + r.What
}

// Error makes a Reason the error that Connect is told.
func (r Reason) Error() string {
	if r.Err != nil {
		return "netio: " + r.String() + ": " + r.Err.Error()
	}
	return "netio: " + r.String()
}

// Unwrap returns the system's error.
func (r Reason) Unwrap() error { return r.Err }

// Errors that calls return.
var (
	// ErrClosed is returned by calls on what has ended or is about to.
	ErrClosed = errors.New("netio: closed")
	// ErrLimit is returned by calls that would exceed a limit.
	ErrLimit = errors.New("netio: limit reached")
	// ErrTooBig is returned for a datagram that no socket carries.
	ErrTooBig = errors.New("netio: datagram too big")
	// ErrFamily is returned for an address that a socket cannot reach or come from:
	// none, or IPv6 where the socket is IPv4.
	ErrFamily = errors.New("netio: address of another family, or none")
)

var (
	// errAgain says that a socket has nothing, or takes nothing, now.
	errAgain = errors.New("netio: again")
	// errExhausted says that the process or the system is out of descriptors or memory.
	errExhausted = errors.New("netio: out of descriptors")
)

// kinds are the system's errors with a kind of their own. The numbers are those
// of Winsock, which package syscall does not name.
var kinds = []struct {
	why  Why
	errs []error
}{
	{EOF, []error{io.EOF}},
	{Reset, []error{syscall.ECONNRESET, syscall.EPIPE, syscall.ECONNABORTED, syscall.Errno(10054), syscall.Errno(10053)}},
	{Refused, []error{syscall.ECONNREFUSED, syscall.ENOENT, syscall.Errno(10061)}},
	{Unreachable, []error{syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.Errno(10051), syscall.Errno(10065)}},
	{Timeout, []error{syscall.ETIMEDOUT, os.ErrDeadlineExceeded, syscall.Errno(10060)}},
	{Limit, []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM}},
}

// reasonOf returns the reason that an error of the system amounts to.
func reasonOf(err error) Reason {
	if r, ok := errors.AsType[Reason](err); ok {
		return r
	}
	for _, k := range kinds {
		for _, e := range k.errs {
			if errors.Is(err, e) {
				r := Reason{Why: k.why, Err: err}
				switch k.why {
				case Timeout:
					r.What = "peer"
				case Limit:
					r.What = "fds"
				}
				return r
			}
		}
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		if dns.IsTimeout {
			return Reason{Why: Timeout, What: "resolve", Err: err}
		}
		return Reason{Why: Resolve, Err: err}
	}
	return Reason{Why: Failed, Err: err}
}
