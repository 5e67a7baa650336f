package netfilter

import (
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hookd/hookd/stacks/netfilter/netns"
)

// iptables blocks by the program, two rules a connection, where the kernel has no
// nftables. A rule's own clock ends the lease (-m time), to the second; the text of
// a killed process' rule stays behind, without effect.
type iptables struct {
	ns netns.Handle

	mu    sync.Mutex
	rules map[Tuple][2][]string // the two rules of each, as they were made
	until map[Tuple]time.Time
}

func (p *iptables) block(_ Mode, lease time.Duration, list []Tuple) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.rules == nil {
		p.rules, p.until = map[Tuple][2][]string{}, map[Tuple]time.Time{}
	}
	for i, t := range list {
		if err := p.add(t, lease); err != nil {
			return errors.Join(err, p.take(list[:i]))
		}
	}
	return nil
}

// add makes both rules of a connection, or none.
func (p *iptables) add(t Tuple, lease time.Duration) error {
	until := time.Now().Add(lease).Truncate(time.Second).Add(time.Second)
	rules := [2][]string{ruleText("PREROUTING", t.reversed(), until), ruleText("OUTPUT", t, until)}
	for i, rule := range rules {
		if err := p.run(t, "-I", rule); err != nil {
			if i == 1 {
				err = errors.Join(err, p.run(t, "-D", rules[0]))
			}
			return err
		}
	}
	p.rules[t], p.until[t] = rules, until
	return nil
}

func ruleText(chain string, dir Tuple, until time.Time) []string {
	return []string{
		chain, "-p", "tcp",
		"-s", dir.Local.Addr().String(), "--sport", strconv.Itoa(int(dir.Local.Port())),
		"-d", dir.Remote.Addr().String(), "--dport", strconv.Itoa(int(dir.Remote.Port())),
		"-m", "mark", "!", "--mark", fmt.Sprintf("%#x", Mark),
		"-m", "time", "--datestop", until.UTC().Format("2006-01-02T15:04:05"), "-j", "DROP",
	}
}

func (p *iptables) run(t Tuple, verb string, rule []string) error {
	program := "iptables"
	if t.is6() {
		program = "ip6tables"
	}
	return p.ns.Do(func() error {
		out, err := exec.Command(program, append([]string{"-w", "5", "-t", "raw", verb}, rule...)...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s %s: %w: %s", program, verb, err, strings.TrimSpace(string(out)))
		}
		return nil
	})
}

// renew makes new rules before it takes the old ones away.
func (p *iptables) renew(_ Mode, lease time.Duration, list []Tuple) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range list {
		if !time.Now().Before(p.until[t]) {
			return ErrLeaseExpired
		}
		old := p.rules[t]
		if err := p.add(t, lease); err != nil {
			return err
		}
		for _, rule := range old {
			if err := p.run(t, "-D", rule); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *iptables) release(_ Mode, list []Tuple) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.take(list)
}

func (p *iptables) take(list []Tuple) error {
	var all error
	for _, t := range list {
		for _, rule := range p.rules[t] {
			all = errors.Join(all, p.run(t, "-D", rule))
		}
		delete(p.rules, t)
		delete(p.until, t)
	}
	return all
}

func (p *iptables) close() error { return nil }
