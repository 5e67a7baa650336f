package main

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// load is calls through a relay: sipp calls the relay at port 15060, which is to call
// sipp at port 15080.
type load struct {
	b             *bench
	rate, seconds int
	scenarios     [2]string // of the caller and of who answers
}

// sippScenarios writes sipp's own scenarios, made to follow Record-Route.
func (b *bench) sippScenarios() (paths [2]string, err error) {
	if _, err := exec.LookPath("sipp"); err != nil {
		return paths, nil // and no program of the set will run
	}
	routed := strings.NewReplacer(
		"      [last_Via:]\n", "      [last_Via:]\n      [last_Record-Route:]\n",
		`<recv response="200" rtd="true">`, `<recv response="200" rtd="true" rrs="true">`,
		"ACK sip:[service]@[remote_ip]:[remote_port] SIP/2.0\n", "ACK [next_url] SIP/2.0\n      [routes]\n",
		"BYE sip:[service]@[remote_ip]:[remote_port] SIP/2.0\n", "BYE [next_url] SIP/2.0\n      [routes]\n")
	for i, name := range []string{"uac", "uas"} {
		// It ends with a status that says it made no call.
		text, err := exec.CommandContext(b.ctx, "sipp", "-sd", name).Output()
		if len(text) == 0 {
			return paths, fmt.Errorf("scenario %s of sipp: %w", name, err)
		}
		paths[i] = filepath.Join(b.dir, name+".xml")
		if err := os.WriteFile(paths[i], []byte(routed.Replace(string(text))), 0o600); err != nil {
			return paths, err
		}
	}
	return paths, nil
}

// run measures a relay in the second half of its calls.
func (l *load) run(argv []string) (s sample, found string, err error) {
	relay, err := l.b.serve(nil, argv...)
	if err != nil {
		return s, "", err
	}
	defer func() { err = relay.end(err) }()
	time.Sleep(2 * time.Second)
	answers, err := l.b.serve(nil, "sipp", "-sf", l.scenarios[1], "-p", "15080", "-i", "127.0.0.1", "-nostdin", "-buff_size", "4194304")
	if err != nil {
		return s, "", err
	}
	defer func() { err = answers.end(err) }()
	time.Sleep(500 * time.Millisecond)
	figures := filepath.Join(l.b.dir, "figures.csv")
	_ = os.Remove(figures)
	n := l.rate * (2*l.seconds + 1)
	calls, err := l.b.serve(nil, "sipp", "127.0.0.1:15060", "-sf", l.scenarios[0], "-p", "15070", "-i", "127.0.0.1", "-s", "svc", "-nostdin",
		"-r", strconv.Itoa(l.rate), "-m", strconv.Itoa(n), "-l", "15000", "-timeout", strconv.Itoa(4*l.seconds+20),
		// Kamailio sometimes sends 180 after 200, which need not end the call.
		"-default_behaviors", "all,-abortunexp", "-recv_timeout", "10000",
		"-trace_stat", "-stf", figures, "-fd", "1", "-buff_size", "4194304")
	if err != nil {
		return s, "", err
	}
	defer func() { err = calls.end(err) }()
	window := time.Duration(l.seconds) * time.Second
	time.Sleep(window)
	began, first := time.Now(), relay.usage()
	time.Sleep(window)
	wall, last := time.Since(began), relay.usage()
	_ = calls.cmd.Wait()
	s = sample{cpu: last.cpu - first.cpu, wall: wall, memory: last.memory}
	found, err = l.judge(figures, n, s)
	return s, found, err
}

// judge reads what the caller counted. A relay that lost more than one call in a
// hundred is not compared.
func (l *load) judge(figures string, n int, s sample) (string, error) {
	text, err := os.ReadFile(figures)
	if err != nil {
		return "", err
	}
	r := csv.NewReader(bytes.NewReader(text))
	r.Comma, r.FieldsPerRecord = ';', -1
	rows, err := r.ReadAll()
	if err != nil {
		return "", fmt.Errorf("figures of sipp: %w", err)
	}
	if len(rows) < 2 {
		return "", fmt.Errorf("figures of sipp: %d rows", len(rows))
	}
	total := map[string]string{}
	for i, name := range rows[0] {
		total[name] = rows[len(rows)-1][i]
	}
	ok, err := strconv.Atoi(total["SuccessfulCall(C)"])
	if err != nil || n-ok > n/100 {
		return "", fmt.Errorf("%d of %d calls were made", ok, n)
	}
	each := s.cpu.Seconds() * 1e6 / (s.wall.Seconds() * float64(l.rate))
	return fmt.Sprintf("%.0f µs a call, %d of %d failed, %s messages repeated", each, n-ok, n, total["Retransmissions(C)"]), nil
}

// usage is what the processes of a program took so far, as Linux counts it.
func (s *server) usage() sample {
	var u sample
	for todo := []int{s.pid()}; len(todo) > 0; todo = todo[1:] {
		dir := filepath.Join("/proc", strconv.Itoa(todo[0]))
		u.memory += proportional(dir)
		tasks, _ := filepath.Glob(filepath.Join(dir, "task/*"))
		for _, t := range tasks {
			u.cpu += time.Duration(firstNumber(filepath.Join(t, "schedstat")))
			children, _ := os.ReadFile(filepath.Join(t, "children"))
			for _, word := range strings.Fields(string(children)) {
				if pid, err := strconv.Atoi(word); err == nil {
					todo = append(todo, pid)
				}
			}
		}
	}
	return u
}

// firstNumber reads the number that a file begins with.
func firstNumber(path string) int64 {
	text, _ := os.ReadFile(path)
	word, _, _ := strings.Cut(string(text), " ")
	n, _ := strconv.ParseInt(word, 10, 64)
	return n
}

// proportional is a process's memory in bytes, its share of what it shares.
func proportional(dir string) int64 {
	text, _ := os.ReadFile(filepath.Join(dir, "smaps_rollup"))
	_, rest, _ := strings.Cut(string(text), "\nPss:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	n, _ := strconv.ParseInt(fields[0], 10, 64)
	return n << 10
}
