package netfilter

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// held keeps packets of blocked connections in the kernel's queue: it remembers
// their numbers and gives no verdict until the block ends.
type held struct {
	queue   *Queue
	limit   int
	done    chan struct{}
	refused atomic.Uint64

	mu    sync.Mutex
	ids   map[Tuple][]uint32
	total int
}

// headerBytes is what is read of each packet: enough for the ports behind any IPv4
// header, or behind an IPv6 header.
const headerBytes = 64

// firstQueue is where the search for a free queue begins.
const firstQueue = 0xC114

func newHeld(cfg Config) (*held, error) {
	q, err := OpenQueue(QueueConfig{
		Num: firstQueue, Any: true, Range: headerBytes, MaxLen: uint32(cfg.MaxHeld), Buffer: 4 << 20,
		Namespace: cfg.Namespace,
	})
	if err != nil {
		return nil, err
	}
	h := &held{queue: q, limit: cfg.MaxHeld, ids: map[Tuple][]uint32{}, done: make(chan struct{})}
	go h.run()
	return h, nil
}

// run takes packets until the queue is closed.
func (h *held) run() {
	defer close(h.done)
	batch := make([]Packet, 64)
	for {
		n, err := h.queue.Read(batch, -1)
		if errors.Is(err, ErrClosed) {
			return
		}
		if err != nil {
			// Memory may be short; blocked packets wait in the kernel meanwhile.
			time.Sleep(time.Millisecond)
			continue
		}
		h.take(batch[:n])
	}
}

// take keeps packets of connections that are held and lets others go on: those of
// blocks that ended while the packets were on their way here.
func (h *held) take(batch []Packet) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range batch {
		t, ok := tupleOf(batch[i].Data)
		ids, holding := h.ids[t]
		switch {
		case !ok || !holding:
			h.queue.Accept(batch[i].ID)
		case h.total >= h.limit:
			h.refused.Add(1)
			h.queue.Drop(batch[i].ID)
		default:
			h.ids[t] = append(ids, batch[i].ID)
			h.total++
		}
	}
	_ = h.queue.Flush()
}

// begin holds connections from now on.
func (h *held) begin(list []Tuple) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, t := range list {
		h.ids[t] = nil
	}
}

// end lets what is held go on. What the kernel queued meanwhile and the reader has
// not seen yet goes on when it does.
func (h *held) end(list []Tuple) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, t := range list {
		for _, id := range h.ids[t] {
			h.queue.Accept(id)
		}
		h.total -= len(h.ids[t])
		delete(h.ids, t)
	}
	if err := h.queue.Flush(); err != nil {
		return fmt.Errorf("netfilter: let held packets go: %w", err)
	}
	return nil
}

func (h *held) discard(t Tuple) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, id := range h.ids[t] {
		h.queue.Drop(id)
	}
	h.total -= len(h.ids[t])
	if _, holding := h.ids[t]; holding {
		h.ids[t] = nil
	}
	return h.queue.Flush()
}

func (h *held) count(t Tuple) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.ids[t])
}

// close gives the queue up and waits for the reader. A nil held has nothing to close.
func (h *held) close() error {
	if h == nil {
		return nil
	}
	err := h.queue.Close()
	<-h.done
	return err
}
