package loop

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/plain"
	"github.com/hookd/hookd/stacks/netio"
)

// parseProxies reads the networks of proxies that a listener believes.
func parseProxies(v any) ([]netip.Prefix, error) {
	var list []string
	if one, ok := v.(string); ok {
		list = []string{one}
	} else if err := plain.SetStrings(&list, v); err != nil {
		return nil, fmt.Errorf("proxies: %w", err)
	}
	var nets []netip.Prefix
	for _, text := range list {
		p, err := netip.ParsePrefix(text)
		if a, aerr := netip.ParseAddr(text); aerr == nil && a.Zone() == "" {
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil {
			return nil, fmt.Errorf("proxies: a network expected, such as \"10.0.0.0/8\", got %s", plain.Describe(text))
		}
		nets = append(nets, p.Masked())
	}
	if len(nets) == 0 {
		return nil, errors.New("proxies: a network expected, such as \"10.0.0.0/8\"")
	}
	return nets, nil
}

// parseSocks reads the SOCKS server that a connection goes through.
func parseSocks(v any) (*netio.SocksConfig, error) {
	s := &netio.SocksConfig{}
	list, isTable := v.([]event.KV)
	if !isTable {
		list = []event.KV{{Key: "address", Value: v}}
	}
	for _, f := range list {
		var err error
		switch f.Key {
		case "address":
			err = plain.SetString(&s.Address, f.Value)
		case "user":
			err = plain.SetString(&s.User, f.Value)
		case "password":
			err = plain.SetString(&s.Password, f.Value)
		default:
			err = errors.New("unknown: address, user and password are known")
		}
		if err != nil {
			return nil, fmt.Errorf("socks: %s: %w", f.Key, err)
		}
	}
	if _, _, err := net.SplitHostPort(s.Address); err != nil {
		return nil, fmt.Errorf("socks: host and port expected, such as \"127.0.0.1:1080\", got %s", plain.Describe(s.Address))
	}
	return s, nil
}
