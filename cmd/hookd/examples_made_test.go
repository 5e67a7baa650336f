package main

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hookd/hookd/stacks/flow/capture"
	"github.com/hookd/hookd/stacks/flow/craft"
)

// madeTraffic writes connections made by hand into a capture.
type madeTraffic struct {
	t    *testing.T
	file bytes.Buffer
	w    *capture.Writer
	now  time.Duration // since 2023-11-14 22:13:20 UTC
}

func newMadeTraffic(t *testing.T) *madeTraffic {
	t.Helper()
	m := &madeTraffic{t: t}
	var err error
	if m.w, err = capture.NewWriter(&m.file, capture.LinkTypeEthernet, false); err != nil {
		t.Fatal(err)
	}
	return m
}

// conn returns a connection whose frames are 500 µs apart.
func (m *madeTraffic) conn(client, server string) *craft.Conn {
	m.t.Helper()
	c, err := craft.New(craft.Config{Client: netip.MustParseAddrPort(client), Server: netip.MustParseAddrPort(server)}, func(frame []byte) {
		m.now += 500 * time.Microsecond
		f := capture.Frame{TS: 1_700_000_000e9 + int64(m.now), Link: capture.LinkTypeEthernet, Data: frame, WireLen: len(frame)}
		if err := m.w.WriteFrame(&f); err != nil {
			m.t.Fatal(err)
		}
	})
	if err != nil {
		m.t.Fatal(err)
	}
	return c
}

// say sends a text.
func (m *madeTraffic) say(c *craft.Conn, from craft.Side, text string) {
	m.t.Helper()
	if err := c.Send(from, []byte(text)); err != nil {
		m.t.Fatal(err)
	}
	c.ACK(1 - from)
}

func (m *madeTraffic) wait(d time.Duration) { m.now += d }

// madeCaptures are the captures of those examples that need no real traffic.
var madeCaptures = map[string]func(m *madeTraffic){
	"conntable": func(m *madeTraffic) {
		web := m.conn("10.0.0.1:40001", "10.0.0.80:80")
		web.Open()
		m.say(web, craft.Client, "GET / HTTP/1.1\r\nHost: www.example.net\r\n\r\n")
		shell := m.conn("10.0.0.2:40002", "10.0.0.22:22")
		shell.Open()
		m.say(shell, craft.Server, "SSH-2.0-example\r\n")
		m.wait(time.Second)
		m.say(web, craft.Server, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
		web.FIN(craft.Server)
		m.wait(time.Second)
		web.FIN(craft.Client)
		m.conn("10.0.0.3:40003", "10.0.0.80:81").SYN()
		m.wait(time.Second)
		shell.RST(craft.Client)
	},
	"firewall": func(m *madeTraffic) {
		for i, end := range [][2]string{
			{"10.1.0.5", "10.0.0.80:80"},
			{"10.1.0.5", "10.0.0.80:23"},
			{"10.1.2.9", "10.0.0.80:80"},
			{"10.1.2.10", "10.0.0.80:443"},
			{"192.0.2.1", "10.0.0.80:80"},
			{"203.0.113.7", "10.0.0.22:22"},
			{"203.0.113.7", "10.0.0.80:80"},
			{"10.1.0.5", "10.0.0.80:23"},
		} {
			c := m.conn(fmt.Sprintf("%s:%d", end[0], 41000+i), end[1])
			c.Open()
			m.say(c, craft.Client, "hello\r\n")
			c.Close()
			m.wait(300 * time.Millisecond)
		}
	},
	"http-hosts": func(m *madeTraffic) {
		for i, request := range []string{
			"GET /index.html HTTP/1.1\r\nHost: www.example.net\r\nUser-Agent: x\r\n\r\n",
			"POST /form HTTP/1.1\r\nContent-Length: 3\r\nhost: forms.example.org:8080\r\n\r\na=1",
			"GET /old HTTP/1.0\r\n\r\n",
			"SSH-2.0-not-http\r\n",
		} {
			c := m.conn(fmt.Sprintf("10.0.0.%d:42000", i+1), "10.0.0.80:8080")
			c.Open()
			half := len(request) / 2
			if i == 1 { // two segments
				m.say(c, craft.Client, request[:half])
				m.say(c, craft.Client, request[half:])
			} else {
				m.say(c, craft.Client, request)
			}
			c.Close()
		}
		again := m.conn("10.0.0.1:42001", "10.0.0.80:8080")
		again.Open()
		for _, path := range []string{"/a", "/b"} {
			m.say(again, craft.Client, "GET "+path+" HTTP/1.1\r\nHost: www.example.net\r\n\r\n")
			m.say(again, craft.Server, "HTTP/1.1 204 No Content\r\n\r\n")
		}
		again.Close()
	},
	"portscan": func(m *madeTraffic) {
		for port := range 30 {
			scan := m.conn(fmt.Sprintf("203.0.113.9:%d", 50000+port), fmt.Sprintf("10.0.0.80:%d", 1+port))
			scan.SYN()
			if port == 21 {
				scan.SYNACK()
			}
			scan.RST(craft.Server)
			m.wait(20 * time.Millisecond)
			user := m.conn(fmt.Sprintf("10.0.0.5:%d", 51000+port), "10.0.0.80:22")
			user.Open()
			m.say(user, craft.Server, "SSH-2.0-example\r\n")
			user.Close()
		}
		m.wait(11 * time.Minute)
		late := m.conn("203.0.113.9:60000", "10.0.0.80:22")
		late.Open()
		late.Close()
	},
	"sip-calls": makeCalls,
	"rexmit-storm": func(m *madeTraffic) {
		good, bad := m.conn("10.0.0.1:43000", "10.0.0.80:80"), m.conn("10.0.0.2:43000", "10.0.0.80:80")
		for _, c := range []*craft.Conn{good, bad} {
			c.Open()
			m.say(c, craft.Client, "GET / HTTP/1.1\r\nHost: www.example.net\r\n\r\n")
		}
		for i := range 45 {
			c, often := good, i%15 == 0
			if !often {
				c = bad
			}
			if err := c.Resend(craft.Client); err != nil {
				m.t.Fatal(err)
			}
			m.wait(100 * time.Millisecond)
		}
		good.Close()
		bad.Close()
	},
}

// TestMadeCaptures checks that the captures of those examples are what is made here; with -update it
// writes them.
func TestMadeCaptures(t *testing.T) {
	for name, traffic := range madeCaptures {
		m := newMadeTraffic(t)
		traffic(m)
		path := filepath.Join("..", "..", "examples", name, "capture.pcap")
		if *update {
			if err := os.WriteFile(path, m.file.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		have, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(have, m.file.Bytes()) {
			t.Errorf("%s is not what is made: run with -update", path)
		}
	}
}
