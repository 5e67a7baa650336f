package live

import (
	"errors"
	"log/slog"
	"time"

	"golang.org/x/net/bpf"
)

// Defaults of a Config.
const (
	// RingBytes is how much memory the kernel fills before it drops packets.
	RingBytes = 32 << 20
	// BlockBytes is how much of it is handed over at once.
	BlockBytes = 1 << 20
	// Latency is the longest time that a packet waits for a block to fill.
	Latency = 8 * time.Millisecond
	// SnapLen is how much of a packet is kept; it holds the largest that
	// segmentation offload makes.
	SnapLen = 256 << 10
)

// Errors of Open and Next.
var (
	// ErrUnsupported is returned on systems other than Linux.
	ErrUnsupported = errors.New("live capture needs Linux")
	// ErrPermission is returned without the right to capture.
	ErrPermission = errors.New("live capture needs root or CAP_NET_RAW")
	// ErrNoInterface is returned by Open for an interface that does not exist.
	ErrNoInterface = errors.New("no such interface")
	// ErrIdle is returned by Next when the time it was given passed without a
	// packet, or [Source.Wake] was called.
	ErrIdle = errors.New("no packet")
	// ErrClosed is returned by Next after Close.
	ErrClosed = errors.New("capture is closed")
)

// Config says what is captured and how.
type Config struct {
	// Interface is its name: "eth0".
	Interface string
	// Promiscuous also captures what is addressed to other hosts, where the
	// interface can.
	Promiscuous bool
	// Filter makes the program that the kernel selects packets by, for the link
	// type and SnapLen of the interface; nil captures all. An error of it is
	// returned by Open.
	Filter func(link uint16, snaplen int) ([]bpf.RawInstruction, error)
	// RingBytes, BlockBytes, Latency and SnapLen are the defaults above where
	// they are 0. Sizes are rounded up to what the kernel takes.
	RingBytes, BlockBytes, SnapLen int
	Latency                        time.Duration
	// Spread, for [OpenShared], is the classic BPF program that says, modulo the
	// number of sources, which one gets a packet; it counts from the IP header at
	// SKF_NET_OFF. Without one the kernel's hash does, which brings both directions
	// of a connection together: fragments are put together by the kernel before.
	Spread []bpf.RawInstruction
	// Log receives what happens to the interface; nil discards it.
	Log *slog.Logger
}

func (c Config) withDefaults() Config {
	set := func(n *int, def int) {
		if *n == 0 {
			*n = def
		}
	}
	set(&c.RingBytes, RingBytes)
	set(&c.BlockBytes, BlockBytes)
	set(&c.SnapLen, SnapLen)
	if c.Latency == 0 {
		c.Latency = Latency
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Stats counts what the kernel did since Open.
type Stats struct {
	// Packets passed the filter, those that were dropped included.
	Packets uint64 `json:"packets"`
	// Drops of them found no room in the ring.
	Drops uint64 `json:"drops"`
	// Freezes is how often the ring was full.
	Freezes uint64 `json:"freezes"`
	// Downs is how often the interface went away or down.
	Downs uint64 `json:"downs"`
}
