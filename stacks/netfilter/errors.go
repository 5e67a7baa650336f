package netfilter

import "errors"

// ErrLeaseExpired says that a block had ended before it was renewed or looked at:
// packets of the connection may have passed.
var ErrLeaseExpired = errors.New("netfilter: lease has expired")
