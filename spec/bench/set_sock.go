package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	sockThousand = "1,000 connections taken and restored in one go, ms"
	sockHeld     = "a request in the blackout, µs after the resume until it is read, held"
	sockDropped  = "a request in the blackout, µs after the resume until it is read, dropped"

	// sockMoves is how many moves a median is of.
	sockMoves = 50
)

// sockSizes are what is in the receive and send queues of the connection that moves.
var sockSizes = []struct {
	in, out int // bytes
	name    string
}{
	{0, 0, "empty queues"},
	{4 << 20, 0, "4 MiB to read"},
	{0, 4 << 20, "4 MiB to send"},
	{4 << 20, 4 << 20, "4 + 4 MiB"},
}

func sockStaged(size string) string   { return "hookd: dump and restore, " + size }
func sockBlackout(size string) string { return "hookd: whole blackout, " + size }
func sockPeer(size string) string     { return "libsoccr: dump and restore, " + size }

// sockSet compares taking a connection out of the kernel and putting it back with
// libsoccr in C. The library's sources are not here: HOOKD_CRIU names a checkout of CRIU.
func sockSet(b *bench) (*set, error) {
	test := filepath.Join(b.dir, "sock.test")
	cmd := exec.CommandContext(b.ctx, "go", "test", "-c", "-o", test, "./stacks/sock")
	cmd.Dir = b.root
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build stacks/sock: %w\n%s", err, out)
	}
	peer, absent := b.buildSoccr()
	s := &set{name: "sock", doc: "A TCP connection on loopback taken out of the kernel and put back. Wall s are those of a million moves, microseconds a move: a run's figure is the median of 50."}
	s.about = []string{"Dump and restore are without blocking packets; the whole blackout is with it, by nftables, and through an image in memory."}
	for _, size := range sockSizes {
		queues := fmt.Sprintf(`%d\+%dMiB$`, size.in>>20, size.out>>20)
		s.programs = append(
			s.programs,
			sockProgram(b, sockStaged(size.name), "total-us", asRoot(test, "-test.run", "^$", "-test.bench", "^BenchmarkStaged$/"+queues, "-test.benchtime", "50x")),
			&program{
				name: sockPeer(size.name), argv: []string{peer}, get: absent,
				run: sockRun(b, "total-us", asRoot(peer, strconv.Itoa(size.in), strconv.Itoa(size.out), strconv.Itoa(sockMoves))),
			},
			sockProgram(b, sockBlackout(size.name), "blackout-us", asRoot(test, "-test.run", "^$", "-test.bench", "^BenchmarkBlackout$/"+queues, "-test.benchtime", "50x")),
		)
	}
	probe := func(name, bench, times, unit string) probe {
		return probe{name: name, run: func() (float64, error) {
			f, err := sockFigures(b, asRoot(test, "-test.run", "^$", "-test.bench", bench, "-test.benchtime", times), unit)
			return f[unit], err
		}}
	}
	s.probes = append(
		s.probes,
		probe(sockThousand, "^BenchmarkMany$/workers=2$", "20x", "all-ms"),
		probe(sockHeld, "^BenchmarkRequest$/hold$", "50x", "after-resume-us"),
		probe(sockDropped, "^BenchmarkRequest$/drop$", "10x", "after-resume-us"),
	)
	s.aims = sockAims()
	return s, nil
}

func sockAims() []aim {
	wall := func(name string) func(*result) float64 {
		return func(r *result) float64 { return r.run(name).wall() }
	}
	full := sockSizes[3].name
	return []aim{
		{what: "empty queues, dumped and restored", bound: 100, unit: "µs", value: wall(sockStaged(sockSizes[0].name))},
		{
			what: "4 + 4 MiB, in libsoccr's time", bound: 0.5, unit: "x",
			value: func(r *result) float64 { return r.run(sockStaged(full)).wall() / r.run(sockPeer(full)).wall() },
		},
		{what: "4 + 4 MiB, half of libsoccr's 7.3 ms where it is not here", bound: 3650, unit: "µs", value: wall(sockStaged(full))},
		{what: sockThousand, bound: 220, unit: "ms", value: probed(sockThousand)},
		{what: sockHeld, bound: 1000, unit: "µs", value: probed(sockHeld)},
	}
}

// asRoot is a command line for somebody who may have network namespaces.
func asRoot(argv ...string) []string {
	if os.Geteuid() == 0 {
		return argv
	}
	return append([]string{"unshare", "-Ur"}, argv...)
}

func sockProgram(b *bench, name, unit string, argv []string) *program {
	return &program{name: name, argv: argv, run: sockRun(b, unit, argv)}
}

// sockRun returns what measures moves: unit is the figure that is the program's.
func sockRun(b *bench, unit string, argv []string) func([]string) (sample, string, error) {
	return func([]string) (sample, string, error) {
		f, err := sockFigures(b, argv, unit)
		if err != nil {
			return sample{}, "", err
		}
		var found []string
		for _, k := range []struct{ unit, text string }{
			{"dump-us", "dump %.4g µs"}, {"restore-us", "restore %.4g µs"}, {"allocs/op", "%.0f allocations"}, {"B/op", "%.0f bytes of them"},
		} {
			if v, ok := f[k.unit]; ok {
				found = append(found, fmt.Sprintf(k.text, v))
			}
		}
		return sample{wall: time.Duration(f[unit] * float64(time.Second))}, strings.Join(found, ", "), nil
	}
}

// sockFigures runs a benchmark, or what prints like one, and returns its figures by unit.
func sockFigures(b *bench, argv []string, unit string) (map[string]float64, error) {
	cmd := exec.CommandContext(b.ctx, argv[0], argv[1:]...)
	cmd.Dir = b.dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("run %s: %w\n%s", strings.Join(argv, " "), err, out)
	}
	figures := map[string]float64{}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		for i := 2; i+1 < len(fields); i += 2 {
			if v, err := strconv.ParseFloat(fields[i], 64); err == nil {
				figures[fields[i+1]] = v
			}
		}
	}
	if _, ok := figures[unit]; !ok {
		return nil, fmt.Errorf("run %s: no %s in its output:\n%s", strings.Join(argv, " "), unit, out)
	}
	return figures, nil
}

// buildSoccr builds the program that does by libsoccr what hookd does, where the
// library's sources are. Where they are not, absent says what is missing.
func (b *bench) buildSoccr() (path, absent string) {
	const get = "CRIU's sources in HOOKD_CRIU or ../shared/bench/criu, apt install libnet1-dev gcc"
	dirs := []string{os.Getenv("HOOKD_CRIU"), filepath.Join(b.root, "../shared/bench/criu")}
	at := slices.IndexFunc(dirs, func(dir string) bool {
		_, err := os.Stat(filepath.Join(dir, "soccr/soccr.c"))
		return dir != "" && err == nil
	})
	path = filepath.Join(b.dir, "soccr")
	if at < 0 {
		return path, get
	}
	// What CRIU's own configure would find on a system of today.
	config := filepath.Join(b.dir, "include/common")
	err := os.MkdirAll(config, 0o755)
	if err == nil {
		err = os.WriteFile(filepath.Join(config, "config.h"), []byte("#define CONFIG_HAS_TCP_REPAIR\n#define CONFIG_HAS_TCP_REPAIR_WINDOW\n"), 0o600)
	}
	if err == nil {
		soccr := filepath.Join(dirs[at], "soccr")
		var out []byte
		out, err = exec.CommandContext(b.ctx, "gcc", "-O2", "-D_GNU_SOURCE", "-I", soccr, "-I", filepath.Dir(config), "-o", path,
			filepath.Join(b.root, "spec/bench/soccr/main.c"), filepath.Join(soccr, "soccr.c"), "-lnet").CombinedOutput()
		if err != nil {
			err = fmt.Errorf("%w: %.200s", err, out)
		}
	}
	if err != nil {
		return path, fmt.Sprintf("%s (%s)", get, strings.ReplaceAll(err.Error(), "\n", " "))
	}
	return path, ""
}
