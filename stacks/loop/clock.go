package loop

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/stacks/netio/sntp"
)

// sntpTime is how long a time server may take.
const sntpTime = 5 * time.Second

// SntpTime implements [loopev.Functions].
func (g *Group) SntpTime(by *event.Caller, server string, done func(any, error)) {
	s, err := g.of(by, "sntp.time")
	if err != nil {
		done(nil, err)
		return
	}
	host, port := server, uint16(sntp.Port)
	if h, p, err := net.SplitHostPort(server); err == nil {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || n == 0 {
			done(nil, fmt.Errorf("sntp.time: %q is no port", p))
			return
		}
		host, port = h, uint16(n)
	}
	var stop func()
	stop = s.names.Addrs(host, func(addrs []netip.Addr, err error) {
		if err != nil {
			done(nil, err)
			return
		}
		stop, err = sntp.Ask(s.io, netip.AddrPortFrom(addrs[0], port), sntpTime, nil, func(a sntp.Answer, err error) {
			if err != nil {
				done(nil, err)
				return
			}
			done([]event.KV{
				{Key: "offset", Value: a.Offset.Seconds()},
				{Key: "delay", Value: a.Delay.Seconds()},
				{Key: "stratum", Value: float64(a.Stratum)},
			}, nil)
		})
		if err != nil {
			stop = nil
			done(nil, err)
		}
	})
	by.Waiter.OnCancel(func() {
		if stop != nil {
			stop()
		}
	})
}
