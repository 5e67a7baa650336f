package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// Servers of the http set, in the order in which they are measured.
const (
	httpHookd   = "hookd, examples/http-hello"
	httpNginx   = "nginx with Lua"
	httpHAProxy = "HAProxy with Lua"
	httpGo      = "Go net/http, no script"
)

// httpConnections are how many connections ask at once.
var httpConnections = []int{64, 256}

// httpSet compares what an answer of six bytes costs a server.
func httpSet(b *bench) (*set, error) {
	nethttp, err := b.build("spec/bench/nethttp")
	if err != nil {
		return nil, err
	}
	configs := filepath.Join(b.root, "spec/bench/http")
	prefix := filepath.Join(b.dir, "nginx")
	if err := os.MkdirAll(prefix, 0o755); err != nil {
		return nil, err
	}
	servers := []*webServer{
		{name: httpHookd, url: "http://127.0.0.1:18080/", argv: []string{b.hookd, "run", filepath.Join(b.root, "examples/http-hello"), "--control", "none"}},
		{
			name: httpNginx, url: "http://127.0.0.1:18082/", get: "apt install nginx-light libnginx-mod-http-lua",
			argv: []string{"nginx", "-p", prefix, "-c", filepath.Join(configs, "nginx.conf")},
		},
		{
			name: httpHAProxy, url: "http://127.0.0.1:18081/", get: "apt install haproxy", env: []string{"HOOKD_BENCH_DIR=" + configs},
			argv: []string{"haproxy", "-f", filepath.Join(configs, "haproxy.cfg")},
		},
		{name: httpGo, url: "http://127.0.0.1:18083/", argv: []string{nethttp, "127.0.0.1:18083"}},
	}
	s := &set{name: "http", doc: "GET answered with six bytes by a handler a request, over connections that stay open. CPU s are those of the server for a million requests: microseconds a request."}
	s.about = []string{fmt.Sprintf("Load: wrk, one thread, %v at a time.", b.loadTime())}
	for _, n := range httpConnections {
		for _, v := range servers {
			s.programs = append(s.programs, &program{
				name: at(v.name, n), argv: v.argv, get: v.get,
				run: unjudged(func() (sample, error) { return b.load(v, n) }),
			})
		}
	}
	s.aims = httpAims()
	return s, nil
}

// at names a server under so many connections.
func at(name string, connections int) string {
	return fmt.Sprintf("%s, %d connections", name, connections)
}

func httpAims() []aim {
	var aims []aim
	for _, g := range []struct {
		peer        string
		connections int
		bound       float64
	}{
		{httpGo, 64, 0.70},
		{httpGo, 256, 0.60},
		{httpHAProxy, 64, 0.75},
		{httpHAProxy, 256, 0.75},
		{httpNginx, 64, 1.15},
		{httpNginx, 256, 1.15},
	} {
		aims = append(aims, aim{
			what: fmt.Sprintf("hookd in %s, %d connections", g.peer, g.connections), bound: g.bound, unit: "x",
			value: ratio(at(httpHookd, g.connections), at(g.peer, g.connections)),
		})
	}
	return aims
}
