//go:build !linux

package survey

import (
	"errors"
	"net/netip"
)

// MaxSockets is the most sockets that are listed.
const MaxSockets = 1 << 20

// List needs Linux.
func List(string, bool, func(*Socket) bool) ([]Socket, error) { return nil, errors.ErrUnsupported }

// Find needs Linux.
func Find(string, netip.AddrPort, netip.AddrPort, bool) (Socket, error) {
	return Socket{}, errors.ErrUnsupported
}
