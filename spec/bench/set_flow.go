package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// The names of the flow set's programs; aims speak of them.
const (
	flowEnds     = "hookd: conn_end printed"
	flowNative   = "hookd: and 12 native rules, streams kept"
	flowHandler  = "hookd: and a handler of 5 small fields, native"
	flowMachine  = "hookd: and a handler of 5 small fields, in the Lua machine"
	flowJobs     = "hookd: (b) and the native handler with --jobs 2"
	flowLuaJobs  = "hookd: (b) and the handler in the Lua machine with --jobs 2"
	flowWide     = "hookd: and a handler of 3 wide fields"
	flowAlone    = "hookd: conn_end and only the handler of 5 small fields, native"
	flowLuaAlone = "hookd: conn_end and only the handler of 5 small fields, in the Lua machine"
	emptyCall    = "empty protected Lua calls, as many"
	tcpdump      = "tcpdump -w /dev/null"
	gopacketLoop = "gopacket reassembly, as documented"
	gopacketZero = "gopacket reassembly, nothing copied"
	ndpi         = "ndpiReader -q"
	tsharkTap    = "tshark with a Lua tap of 5 fields"

	handlerAllocs = "heap allocations a packet, 5 small fields, native, second pass"
	machineAllocs = "heap allocations a packet, 5 small fields, in the Lua machine, second pass"
	wideAllocs    = "heap allocations a call, 3 wide fields, second pass"
	handlerCalls  = "calls of a handler at pkt_in.snd and .rcv"
)

// Packets of the capture that is made where none is given.
const (
	madePackets      = 800_000
	madePacketsShort = 300_000
)

// flowSet compares following TCP connections in a capture.
func flowSet(b *bench) (*set, error) {
	path, known, about, err := b.input()
	if err != nil {
		return nil, err
	}
	gopacket, err := b.build("spec/bench/gopacket")
	if err != nil {
		return nil, err
	}
	empty, err := b.build("runtime/lua/emptycall")
	if err != nil {
		return nil, err
	}
	calls, err := b.goBench("cmd/hookd", "SecondPass/five$", "calls", "HOOKD_BENCH_CAPTURE="+path)
	if err != nil {
		return nil, err
	}
	script := func(name string) string { return filepath.Join(b.root, "spec/bench/flow", name) }
	replay := func(scripts ...string) []string {
		argv := []string{b.hookd, "replay", "-q", path, "--print", "flow.conn_end"}
		for _, s := range scripts {
			argv = append(argv, "-s", script(s))
		}
		return argv
	}
	s := &set{name: "flow", about: about, doc: "TCP connections in a capture, followed, printed and seen by rules."}
	s.programs = []*program{
		{name: tcpdump, argv: []string{"tcpdump", "-r", path, "-w", "/dev/null"}, get: "apt install tcpdump"},
		{name: flowEnds, argv: replay(), check: known.check, profiled: true},
		{name: flowNative, argv: replay("native.lua"), check: known.check, profiled: true},
		{name: flowAlone, argv: replay("five.lua"), check: known.check},
		{name: flowHandler, argv: replay("native.lua", "five.lua"), check: known.check, profiled: true},
		{name: flowMachine, argv: replay("native.lua", "machine.lua"), check: known.check, profiled: true},
		{name: flowLuaAlone, argv: replay("machine.lua"), check: known.check},
		{name: flowJobs, argv: append(replay("native.lua", "five.lua"), "--jobs", "2"), check: known.check},
		{name: flowLuaJobs, argv: append(replay("native.lua", "machine.lua"), "--jobs", "2"), check: known.check},
		{name: flowWide, argv: replay("native.lua", "wide.lua"), check: known.check, profiled: true},
		{name: emptyCall, argv: []string{empty, strconv.FormatFloat(calls, 'f', 0, 64)}},
		{name: gopacketLoop, argv: []string{gopacket, path}, check: firstLine},
		{name: gopacketZero, argv: []string{gopacket, "-zerocopy", path}, check: firstLine},
		{name: ndpi, argv: []string{"ndpiReader", "-q", "-i", path}, get: "apt install libndpi-bin"},
		{
			name: tsharkTap, get: "apt install tshark", slow: true, check: lastLine,
			argv: []string{"tshark", "-n", "-q", "-X", "lua_script:" + script("tshark_tap.lua"), "-r", path},
		},
	}
	s.probes = flowProbes(b, path, calls)
	s.aims = flowAims()
	return s, nil
}

// flowProbes are what a second pass in the same process allocates.
func flowProbes(b *bench, path string, calls float64) []probe {
	pass := func(name, unit string) func() (float64, error) {
		return func() (float64, error) {
			return b.goBench("cmd/hookd", "SecondPass/"+name+"$", unit, "HOOKD_BENCH_CAPTURE="+path)
		}
	}
	return []probe{
		{name: handlerCalls, run: func() (float64, error) { return calls, nil }},
		{name: handlerAllocs, run: pass("five", "allocs/packet")},
		{name: machineAllocs, run: pass("machine", "allocs/packet")},
		{name: wideAllocs, run: pass("wide", "allocs/call")},
	}
}

func flowAims() []aim {
	return []aim{
		{what: "(a) conn_end printed, in tcpdump's CPU", bound: 1.2, unit: "x", value: ratio(flowEnds, tcpdump)},
		{what: "(a) in gopacket's, as documented", bound: 0.25, unit: "x", value: ratio(flowEnds, gopacketLoop)},
		{what: "(a) peak memory", bound: 150, unit: "MiB", value: func(r *result) float64 { return r.run(flowEnds).peak() }},
		{what: "(b) 12 native rules that never match, in (a)", bound: 1.6, unit: "x", value: ratio(flowNative, flowEnds)},
		{what: "(c) 5 small fields a call, native, above (b), in empty protected calls", bound: 3.5, unit: "x", value: inCalls(flowHandler)},
		{what: "(c) the same in the Lua machine", told: true, unit: "x", value: inCalls(flowMachine)},
		{what: "(c) allocations a packet, in the Lua machine, second pass", bound: 0.001, value: probed(machineAllocs)},
		{what: "(c) allocations a packet, native, second pass", bound: 0.001, value: probed(handlerAllocs)},
		// The tap does nothing else, so what is compared with it does not either.
		{what: "(c) tshark's Lua tap, in that of the handler alone, native", bound: 40, least: true, unit: "x", value: ratio(tsharkTap, flowAlone)},
		{what: "(c) in that of the handler alone, in the Lua machine", told: true, unit: "x", value: ratio(tsharkTap, flowLuaAlone)},
		{what: "(c) in that of (b) and the handler, native", told: true, unit: "x", value: ratio(tsharkTap, flowHandler)},
		{what: "(c) in that of (b) and the handler, in the Lua machine", told: true, unit: "x", value: ratio(tsharkTap, flowMachine)},
		// Wall time says something on processors that are idle only, and where there are two;
		// what both jobs worked says what it would be if they were always busy.
		{what: "(c) with --jobs 2, native, how much sooner it ends", bound: 1.6, least: true, unit: "x", value: sooner(flowHandler, flowJobs)},
		{what: "(c) with --jobs 2, in the Lua machine, how much sooner it ends", bound: 1.6, least: true, unit: "x", value: sooner(flowMachine, flowLuaJobs)},
		{
			what: "(c) with --jobs 2, native, how much sooner it could by its CPU seconds", bound: 1.6, least: true, unit: "x",
			value: func(r *result) float64 { return 2 * r.cpu(flowHandler) / r.cpu(flowJobs) },
		},
		{what: "(d) 3 wide fields: allocations a call", bound: 3, value: probed(wideAllocs)},
	}
}

// sooner is how much sooner a program ends than another.
func sooner(than, program string) func(*result) float64 {
	return func(r *result) float64 { return r.run(than).wall() / r.run(program).wall() }
}

// inCalls is what a handler costs above the native rules, in as many empty calls.
func inCalls(handler string) func(*result) float64 {
	return func(r *result) float64 { return (r.cpu(handler) - r.cpu(flowNative)) / r.cpu(emptyCall) }
}

// input returns the capture to run on, which connections begin in it as far as
// that is known, and what to say of it.
func (b *bench) input() (path string, known truth, about []string, err error) {
	if b.capture != "" {
		if b.truth != "" {
			known, err = readTruth(b.truth)
		}
		info, statErr := os.Stat(b.capture)
		if statErr != nil {
			return "", nil, nil, statErr
		}
		return b.capture, known, []string{fmt.Sprintf("Capture: %s, %.3g MB.", filepath.Base(b.capture), float64(info.Size())/1e6)}, err
	}
	packets := madePackets
	if b.short {
		packets = madePacketsShort
	}
	path = filepath.Join(b.dir, "made.pcap")
	known, err = makeCapture(path, packets)
	return path, known, []string{fmt.Sprintf("Capture: made, %d packets, %d TCP connections.", packets, known.total())}, err
}
