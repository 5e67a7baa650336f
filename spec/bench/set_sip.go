package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Rates of calls, in calls a second.
const (
	sipRate     = 500
	sipRateHigh = 1000
)

// sipHookd and sipKamailio name the programs at a rate.
func sipHookd(rate int) string { return fmt.Sprintf("hookd: examples/sip-relay, %d calls/s", rate) }

func sipKamailio(rate int) string { return fmt.Sprintf("Kamailio with Lua, %d calls/s", rate) }

// sipSet compares relays of calls between two sipp.
func sipSet(b *bench) (*set, error) {
	s := &set{
		name: "sip",
		doc:  "Calls of sipp to sipp by UDP through a relay that records its route: 13 messages, 2 transactions, 4 functions of Lua a call.",
	}
	seconds, rates := 10, []int{sipRate, sipRateHigh}
	if b.short {
		seconds, rates = 5, rates[:1]
	}
	s.about = []string{
		fmt.Sprintf("CPU is of the relay's processes over %d seconds of calls, after as many that nobody measured.", seconds),
		"hookd keeps a transaction for 32 seconds after its end, as RFC 6026 asks; Kamailio for 5. Its allocator is the one for production (-x fm).",
	}
	kamailio, err := b.kamailio()
	if err != nil {
		return nil, err
	}
	scenarios, err := b.sippScenarios()
	if err != nil {
		return nil, err
	}
	for _, rate := range rates {
		l := load{b: b, rate: rate, seconds: seconds, scenarios: scenarios}
		for _, p := range []*program{
			{name: sipKamailio(rate), argv: kamailio, get: "apt install kamailio kamailio-lua-modules"},
			{name: sipHookd(rate), argv: []string{b.hookd, "run", filepath.Join(b.root, "examples/sip-relay"), "--control", filepath.Join(b.dir, "control")}},
		} {
			p.also, p.run = "sipp", l.run
			s.programs = append(s.programs, p)
		}
	}
	s.aims = []aim{
		{what: "a call at 500 calls/s, in Kamailio's CPU", bound: 1.6, value: ratio(sipHookd(sipRate), sipKamailio(sipRate))},
		{what: "a call at 1,000 calls/s, in Kamailio's CPU", bound: 1.8, value: ratio(sipHookd(sipRateHigh), sipKamailio(sipRateHigh))},
		{what: "hookd's memory at 500 calls/s", bound: 200, unit: "MiB", value: func(r *result) float64 { return r.run(sipHookd(sipRate)).peak() }},
	}
	return s, nil
}

// kamailio writes its configuration, and returns its command line.
func (b *bench) kamailio() ([]string, error) {
	modules, _ := filepath.Glob("/usr/lib*/*/kamailio/modules")
	if len(modules) == 0 {
		modules = []string{"/usr/lib/kamailio/modules"}
	}
	fill := strings.NewReplacer("@MODULES@", modules[0], "@DIR@", b.dir)
	for _, name := range []string{"kamailio.cfg", "kamailio.lua"} {
		text, err := os.ReadFile(filepath.Join(b.root, "spec/bench/sip", name))
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(b.dir, name), []byte(fill.Replace(string(text))), 0o600); err != nil {
			return nil, err
		}
	}
	return []string{
		"kamailio", "-f", filepath.Join(b.dir, "kamailio.cfg"), "-DD", "-E", "-m", "1024", "-M", "16",
		"-x", "fm", "-X", "fm", "-Y", b.dir, "-P", filepath.Join(b.dir, "kamailio.pid"),
	}, nil
}
