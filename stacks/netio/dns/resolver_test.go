package dns

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// values returns what an answer says, in short.
func values(a Answer) string {
	if a.Err != nil {
		return a.Err.Error()
	}
	var list []string
	for _, r := range a.Records {
		list = append(list, r.Value())
	}
	return a.Name + " " + strings.Join(list, " ")
}

func TestLookup(t *testing.T) {
	t.Parallel()
	s := newServer(t, zone(
		a("www.test", "192.0.2.1"), a("www.test", "192.0.2.2"), aaaa("www.test", "2001:db8::1"),
		cname("alias.test", "www.test"), cname("alias2.test", "ALIAS.test"),
		cname("round1.test", "round2.test"), cname("round2.test", "round1.test"), cname("nowhere.test", "none.test"),
		a("www.corp.test", "192.0.2.9"), a("a.b.test", "192.0.2.10"),
		Record{Name: "www.test", Type: TXT, TTL: 60, Text: []string{"hello"}},
	))
	set := using(s)
	set.Search, set.Ndots = []string{"corp.test", "test"}, 1
	set.Timeout = 500 * time.Millisecond // nothing that counts is said of round1.test
	set.Hosts = parseHosts([]byte("127.0.0.7 here here.test # me\n::7 here\nbad line\n192.0.2.77 www2.test\n"))
	r := newRig(t, Config{Settings: set})
	for _, c := range []struct {
		name string
		typ  Type
		want string
	}{
		{"www.test", A, "www.test 192.0.2.1 192.0.2.2"},
		{"WWW.Test.", A, "www.test 192.0.2.1 192.0.2.2"},
		{"www.test", AAAA, "www.test 2001:db8::1"},
		{"www.test", TXT, "www.test hello"},
		{"www.test", SRV, "dns: no such record"},
		{"none.test", A, "dns: no such name"},
		{"alias.test", A, "www.test 192.0.2.1 192.0.2.2"},
		{"alias2.test", A, "www.test 192.0.2.1 192.0.2.2"},
		{"nowhere.test", A, "dns: no such name"},
		{"round1.test", A, "dns: servers fail"},
		{"www", A, "www.corp.test 192.0.2.9"},
		{"www.", A, "dns: no such name"},
		{"a.b", A, "a.b.test 192.0.2.10"},
		{"here", A, "here 127.0.0.7"},
		{"HERE.", AAAA, "here ::7"},
		{"here.test", AAAA, "dns: no such record"},
		{"localhost", A, "localhost 127.0.0.1"},
		{"x.localhost", AAAA, "x.localhost ::1"},
		{"192.0.2.5", A, "192.0.2.5 192.0.2.5"},
		{"192.0.2.5", AAAA, "dns: no such record"},
		{"[::5]", AAAA, "[::5] ::5"},
		{"a..b", A, "dns: not a name"},
		{strings.Repeat("a", 64), A, "dns: not a name"},
	} {
		if got := values(r.lookup(c.name, c.typ)); got != c.want {
			t.Errorf("%s %v: %s, want %s", c.name, c.typ, got, c.want)
		}
	}
	got := make(chan string, 1)
	for name, want := range map[string]string{"www.test": "[192.0.2.1 192.0.2.2 2001:db8::1] <nil>", "none.test": "[] dns: no such name", "here": "[127.0.0.7 ::7] <nil>"} {
		r.do(func() { r.r.Addrs(name, func(addrs []netip.Addr, err error) { got <- fmt.Sprint(addrs, err) }) })
		if g := <-got; g != want {
			t.Errorf("%s: %s", name, g)
		}
	}
}

func TestCache(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(q *Message, tcp bool) []reply {
		if q.Questions[0].Name == "bare.test" {
			return []reply{answers(q, NameError)} // without SOA: not to be remembered
		}
		return zone(a("www.test", "192.0.2.1"), a("b.test", "192.0.2.2"), a("c.test", "192.0.2.3"))(q, tcp)
	})
	r := newRig(t, Config{Settings: using(s), CacheSize: 2, MaxTTL: 3 * time.Second, NegativeTTL: time.Second})
	expect := func(name string, asked int64, cached bool) {
		t.Helper()
		if got := r.lookup(name, A); got.Cached != cached || s.asked.Load() != asked || got.TTL > 3*time.Second {
			t.Errorf("%s: cached %v, %d questions, %v", name, got.Cached, s.asked.Load(), got.TTL)
		}
	}
	expect("www.test", 1, false)
	expect("www.test", 1, true)
	expect("none.test", 2, false)
	expect("none.test", 2, true)
	time.Sleep(1020 * time.Millisecond)
	expect("none.test", 3, false)
	expect("www.test", 3, true)
	time.Sleep(2 * time.Second)
	expect("www.test", 4, false)
	expect("bare.test", 5, false)
	expect("bare.test", 6, false)
	expect("b.test", 7, false)
	expect("www.test", 7, true)
	expect("c.test", 8, false) // forgets b
	expect("www.test", 8, true)
	expect("b.test", 9, false)
	r.do(func() {
		if len(r.r.cache.entries) != 2 || r.r.cache.order.Len() != 2 {
			t.Errorf("%d remembered", len(r.r.cache.entries))
		}
	})
}

// TestServers goes on to other servers, whatever the first does.
func TestServers(t *testing.T) {
	t.Parallel()
	good := newServer(t, zone(a("www.test", "192.0.2.1")))
	for _, c := range []struct {
		name  string
		first func(q *Message, tcp bool) []reply
		want  string
		check func(Stats) bool
	}{
		{"silent", func(*Message, bool) []reply { return nil }, "www.test 192.0.2.1", func(s Stats) bool { return s.Timeouts == 1 }},
		{"SERVFAIL", func(q *Message, _ bool) []reply { return []reply{answers(q, ServerFailure)} }, "www.test 192.0.2.1", func(s Stats) bool { return s.Timeouts == 0 }},
		{"REFUSED", func(q *Message, _ bool) []reply { return []reply{answers(q, Refused)} }, "www.test 192.0.2.1", func(s Stats) bool { return s.Timeouts == 0 }},
		{"junk", func(*Message, bool) []reply { return []reply{{raw: []byte("junk")}} }, "www.test 192.0.2.1", func(s Stats) bool { return s.Malformed == 1 }},
		{"another identifier", func(q *Message, _ bool) []reply {
			m := answers(q, Success, a("www.test", "6.6.6.6"))
			m.m.ID++
			return []reply{m, answers(q, Success, a("www.test", "192.0.2.8"))}
		}, "www.test 192.0.2.8", func(s Stats) bool { return s.Strange == 1 }},
		{"another question", func(q *Message, _ bool) []reply {
			m := answers(q, Success, a("www.test", "6.6.6.6"))
			m.m.Questions = []Question{{"other.test", A, ClassIN}}
			return []reply{m}
		}, "www.test 192.0.2.1", func(s Stats) bool { return s.Strange == 1 }},
		{"a question itself", func(q *Message, _ bool) []reply { return []reply{{m: q}} }, "www.test 192.0.2.1", func(s Stats) bool { return s.Strange == 1 }},
		{"no EDNS", func(q *Message, _ bool) []reply {
			if q.EDNS != nil {
				return []reply{{m: &Message{ID: q.ID, Response: true, RCode: FormatError}}}
			}
			return []reply{answers(q, Success, a("www.test", "192.0.2.7"))}
		}, "www.test 192.0.2.7", func(s Stats) bool { return s.Sent == 2 }},
		{"over TCP", func(q *Message, tcp bool) []reply {
			list := []Record{}
			for i := range 200 {
				list = append(list, a("www.test", fmt.Sprintf("10.0.0.%d", i)))
			}
			return []reply{answers(q, Success, list...)}
		}, "www.test 10.0.0.0 10.0.0.1", func(s Stats) bool { return s.TCP == 1 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			set := using(newServer(t, c.first), good)
			if slices.Contains([]string{"silent", "junk", "another question", "a question itself"}, c.name) {
				set.Timeout = 500 * time.Millisecond // nothing that counts comes from the first
			}
			r := newRig(t, Config{Settings: set})
			got := r.lookup("www.test", A)
			if !strings.HasPrefix(values(got), c.want) {
				t.Errorf("%.80s", values(got))
			}
			if c.name == "over TCP" && len(got.Records) != 200 {
				t.Errorf("%d records", len(got.Records))
			}
			r.do(func() {
				if s := r.r.Stats(); !c.check(s) {
					t.Errorf("%+v", s)
				}
			})
		})
	}
	// Nobody is there, nobody answers.
	closed, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	set := Settings{Servers: []netip.AddrPort{closed.LocalAddr().(*net.UDPAddr).AddrPort()}, Attempts: 3, Timeout: 20 * time.Second}
	_ = closed.Close()
	r := newRig(t, Config{Settings: set})
	began := time.Now()
	if got := r.lookup("www.test", A); !errors.Is(got.Err, ErrServers) || time.Since(began) > 15*time.Second {
		t.Errorf("%v after %v", got.Err, time.Since(began))
	}
	silent := newServer(t, func(*Message, bool) []reply { return nil })
	set = using(silent)
	set.Timeout, set.Attempts = 50*time.Millisecond, 2
	r = newRig(t, Config{Settings: set})
	if got := r.lookup("www.test", A); !errors.Is(got.Err, ErrTimeout) || silent.asked.Load() != 2 {
		t.Errorf("%v after %d questions", got.Err, silent.asked.Load())
	}
	if got := r.lookup("www.test", A); !got.Cached || silent.asked.Load() != 2 {
		t.Errorf("a failure was not remembered: %+v", got)
	}
}

// TestTogether has many ask at once.
func TestTogether(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(q *Message, tcp bool) []reply {
		time.Sleep(time.Millisecond)
		return []reply{answers(q, Success, a(q.Questions[0].Name, "192.0.2.1"))}
	})
	r := newRig(t, Config{Settings: using(s), Questions: 3, Waiting: 10})
	done := make(chan Answer, 200)
	r.do(func() {
		inside := true
		for i := range 100 {
			cancel := r.r.Lookup("same.test", A, func(a Answer) {
				if inside {
					t.Error("called from inside the call")
				}
				done <- a
			})
			if i%2 == 1 {
				cancel()
			}
		}
		for i := range 20 {
			r.r.Lookup(fmt.Sprintf("n%d.test", i), A, func(a Answer) { done <- a })
		}
		inside = false
	})
	refused := 0
	for range 70 {
		if a := <-done; errors.Is(a.Err, ErrLimit) {
			refused++
		} else if a.Err != nil {
			t.Error(a.Err)
		}
	}
	if refused != 8 || s.asked.Load() != 13 {
		t.Errorf("%d refused, %d questions", refused, s.asked.Load())
	}
	r.do(func() {
		if len(r.r.queue) != 0 || r.l.Len() != 0 || len(done) != 0 {
			t.Errorf("%d wait, %d sockets, %d called too often", len(r.r.queue), r.l.Len(), len(done))
		}
	})
}

func TestClosed(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(*Message, bool) []reply { return nil })
	r := newRig(t, Config{Settings: using(s)})
	done := make(chan Answer, 2)
	r.do(func() {
		r.r.Lookup("www.test", A, func(a Answer) { done <- a })
		r.r.Close()
		r.r.Lookup("www.test", A, func(a Answer) { done <- a })
	})
	for range 2 {
		if a := <-done; !errors.Is(a.Err, ErrClosed) {
			t.Error(a.Err)
		}
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := Files{filepath.Join(dir, "resolv.conf"), filepath.Join(dir, "hosts")}
	got, err := f.Read()
	if err != nil || len(got.Servers) != 0 {
		t.Errorf("without files: %+v %v", got, err)
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(f.Resolv, "# comment\nnameserver 127.0.0.1\nnameserver bad\n nameserver fe80::1%lo \ndomain x.test\nsearch A.test. b.test ..\noptions ndots:2 timeout:3 attempts:9 rotate edns0\nnameserver\n")
	write(f.Hosts, "127.0.0.1 localhost\n")
	got, err = f.Read()
	want := Settings{
		Servers: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:53"), netip.MustParseAddrPort("[fe80::1%lo]:53")},
		Search:  []string{"a.test", "b.test"}, Ndots: 2, Timeout: 3 * time.Second, Attempts: 5, Rotate: true,
		Hosts: map[string][]netip.Addr{"localhost": {netip.MustParseAddr("127.0.0.1")}},
	}
	opts := cmp.Options{cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })}
	if d := cmp.Diff(want, got, opts); err != nil || d != "" {
		t.Error(err, d)
	}
	// A change is noticed by who asks, after a while.
	r := newRig(t, Config{Files: f})
	r.do(func() { r.r.refresh.looked = 1 })
	write(f.Hosts, "127.0.0.9 fresh.test\n")
	r.lookup("localhost", A)
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		var hosts map[string][]netip.Addr
		r.do(func() { hosts = r.r.Settings().Hosts })
		if hosts["fresh.test"] != nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the change was not noticed")
		}
	}
}
