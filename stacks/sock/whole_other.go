//go:build !linux

package sock

import (
	"io"
	"net"
	"time"

	"github.com/hookd/hookd/stacks/netfilter"
	"github.com/hookd/hookd/stacks/sock/image"
)

// locker is nothing where packets cannot be blocked.
type locker struct{}

// Checkpoint needs Linux.
func (m *Mover) Checkpoint(int, CheckpointOptions) (*Taken, error) { return nil, ErrUnsupported }

// Restore needs Linux.
func (m *Mover) Restore(*image.Image, RestoreOptions) (*Restored, error) { return nil, ErrUnsupported }

// HandOff needs Linux.
func (m *Mover) HandOff(io.ReadWriter, int, CheckpointOptions) (*Done, error) {
	return nil, ErrUnsupported
}

// Receive needs Linux.
func (m *Mover) Receive(io.ReadWriter, RestoreOptions, func(*Offer, *RestoreOptions) error) (*Restored, error) {
	return nil, ErrUnsupported
}

// Unlock needs Linux.
func (m *Mover) Unlock(netfilter.Tuple) error { return ErrUnsupported }

// Block needs Linux.
func (m *Mover) Block(int) (netfilter.Tuple, error) { return netfilter.Tuple{}, ErrUnsupported }

// Forget has nothing to tell.
func (m *Mover) Forget(netfilter.Tuple) {}

// FirstData needs Linux.
func (r *Restored) FirstData() (bool, error) { return false, ErrUnsupported }

// Renew needs Linux.
func (m *Mover) Renew(netfilter.Tuple) error { return ErrUnsupported }

// HeldRefused is 0 where nothing is held.
func (m *Mover) HeldRefused() uint64 { return 0 }

// Prepare needs Linux.
func (m *Mover) Prepare() error { return ErrUnsupported }

// Close has nothing to close.
func (m *Mover) Close() error { return nil }

// Settle needs Linux.
func (r *Restored) Settle(time.Duration) (time.Duration, error) { return 0, ErrUnsupported }

// Conn needs Linux.
func (r *Restored) Conn() (net.Conn, error) { return nil, ErrUnsupported }

// Pass needs Linux.
func (r *Restored) Pass(*net.UnixConn) error { return ErrUnsupported }
