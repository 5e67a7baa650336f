package lua

import (
	"net/netip"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/match"
	"github.com/hookd/hookd/engine/store"
)

// storeSet lets a match look fields up in a store.
type storeSet struct{ *store.Store }

var (
	_ match.Set         = storeSet{}
	_ match.IPSet       = storeSet{}
	_ match.EndpointSet = storeSet{}
	_ match.StringSet   = storeSet{}
	_ match.NumberSet   = storeSet{}
)

// KeyKind implements [match.Set].
func (s storeSet) KeyKind() event.Kind {
	switch s.KeyType() {
	case store.KeyIP, store.KeyCIDR:
		return event.IP
	case store.KeyEndpoint:
		return event.Endpoint
	case store.KeyString:
		return event.String
	case store.KeyNumber:
		return event.Float
	}
	return event.Plain
}

// HasIP implements [match.IPSet].
func (s storeSet) HasIP(a netip.Addr) bool { return s.Has(store.AddrKey(a)) }

// HasEndpoint implements [match.EndpointSet].
func (s storeSet) HasEndpoint(ep netip.AddrPort) bool { return s.Has(store.EndpointKey(ep)) }

// HasString implements [match.StringSet].
func (s storeSet) HasString(text string) bool { return s.Has(store.StringKey(text)) }

// HasNumber implements [match.NumberSet].
func (s storeSet) HasNumber(f float64) bool { return s.Has(store.NumberKey(f)) }
