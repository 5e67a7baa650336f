package netio

import "time"

// Options are the limits of a stream connection. A zero field means its default;
// a negative duration means none.
type Options struct {
	// RecvLimit is how many bytes wait that the handler did not consume; 1 MiB by
	// default. Then reading pauses until it consumes.
	RecvLimit int
	// SendHigh is how many queued bytes pause reading and tell Full; 1 MiB by default.
	SendHigh int
	// SendLow is how few queued bytes resume reading and tell Drained; a quarter of
	// SendHigh by default.
	SendLow int
	// SendMax is how many queued bytes close the connection; 16 MiB by default.
	SendMax int

	// Connect bounds resolving and connecting, over all addresses; 30 s by default.
	Connect time.Duration
	// Handshake bounds a TLS handshake; 10 s by default.
	Handshake time.Duration
	// Idle closes a connection on which no byte went either way for so long; none by default.
	Idle time.Duration
	// Send closes a connection whose peer took none of the queued bytes for so long; 60 s
	// by default.
	Send time.Duration
	// Hold closes a connection that was accepted with Hold and not resumed; 30 s by default.
	Hold time.Duration
	// Linger is how long a peer that left is waited for to be read to its end while
	// reading is paused, and how long one that did not end its stream is listened to after
	// Close, so that it reads what it was sent; 5 s by default.
	Linger time.Duration

	// KeepAlive is the time of silence after which the kernel probes the peer; 60 s by default.
	KeepAlive time.Duration
	// UserTimeout is how long the kernel waits for bytes to be acknowledged
	// (TCP_USER_TIMEOUT, RFC 5482); the kernel's own by default.
	UserTimeout time.Duration
	// Nagle holds back small segments while others are under way (RFC 1122 section
	// 4.2.3.4); off by default.
	Nagle bool
	// RecvBuffer and SendBuffer are SO_RCVBUF and SO_SNDBUF in bytes; by default the
	// kernel adapts them.
	RecvBuffer, SendBuffer int
}

func (o Options) withDefaults() *Options {
	size := func(p *int, def int) {
		if *p <= 0 {
			*p = def
		}
	}
	size(&o.RecvLimit, 1<<20)
	size(&o.SendHigh, 1<<20)
	size(&o.SendLow, o.SendHigh/4)
	size(&o.SendMax, max(16<<20, 2*o.SendHigh))
	o.SendLow = min(o.SendLow, o.SendHigh-1)
	span := func(p *time.Duration, def time.Duration) {
		switch {
		case *p == 0:
			*p = def
		case *p < 0:
			*p = 0
		}
	}
	span(&o.Connect, 30*time.Second)
	span(&o.Handshake, 10*time.Second)
	span(&o.Idle, 0)
	span(&o.Send, time.Minute)
	span(&o.Hold, 30*time.Second)
	span(&o.Linger, 5*time.Second)
	span(&o.KeepAlive, time.Minute)
	span(&o.UserTimeout, 0)
	return &o
}
