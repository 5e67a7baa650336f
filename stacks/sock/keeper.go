package sock

import "net/netip"

// watched is a socket that a keeper holds on to.
type watched struct {
	ID     string `json:"id"`
	Forget bool   `json:"forget,omitempty"`
	// Stopped says that it is no socket but a process that stands still (pidfd).
	Stopped bool `json:"stopped,omitempty"`

	Local  netip.AddrPort `json:"local"`
	Remote netip.AddrPort `json:"remote"`
	Table  string         `json:"table"`
	Held   bool           `json:"held"`
	File   string         `json:"file"`
}
