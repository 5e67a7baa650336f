package mqtt

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/stacks/loop"
	"github.com/hookd/hookd/stacks/loop/mqttwire"
)

// program finds a program of mosquitto's.
func program(t *testing.T, name string) string {
	t.Helper()
	for _, path := range []string{name, "/usr/sbin/" + name} {
		if found, err := exec.LookPath(path); err == nil {
			return found
		}
	}
	if os.Getenv("HOOKD_CI") != "" {
		t.Fatalf("%s is not installed", name)
	}
	t.Skipf("%s is not installed (mosquitto, mosquitto-clients)", name)
	return ""
}

// connect dials by the loop, as loop.dial does.
func (r *rig) connect(url string, options ...event.KV) *loop.Conn {
	r.t.Helper()
	var c *loop.Conn
	r.do(func() {
		got, err := r.g.Dial(&event.Caller{Shard: r.set.At(0)}, url, options)
		if err != nil {
			r.t.Fatal(err)
		}
		c = got.(*loop.Conn)
	})
	return c
}

// logged waits until a line is told.
func (r *rig) logged(want string) {
	r.t.Helper()
	for end := time.Now().Add(time.Minute); !slices.Contains(r.lines(), want); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatalf("never %q: %q", want, r.lines())
		}
	}
}

// TestClientAndBroker has both ends here.
func TestClientAndBroker(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, nil)
	for _, version := range []float64{3, 4, 5} {
		c := r.connect("mqtt://"+r.at, event.KV{Key: "client_id", Value: fmt.Sprint("me", version)}, event.KV{Key: "user", Value: "bob"}, event.KV{Key: "password", Value: "pw"},
			event.KV{Key: "version", Value: version}, event.KV{Key: "will", Value: []event.KV{{Key: "topic", Value: "gone"}}})
		r.do(func() {
			if err := c.Subscribe(nil, "t/#", 2, true); err != nil { // before it is connected
				t.Error(err)
			}
			for qos := range uint8(3) {
				if err := c.Publish(nil, "t/x", []byte("hello"), qos, true, false); err != nil {
					t.Error(err)
				}
			}
			if c.Publish(nil, "t/#", nil, 0, true, false) == nil || c.Publish(nil, "t", nil, 3, true, false) == nil || c.Subscribe(nil, "#/x", 0, true) == nil {
				t.Error("what cannot be sent was taken")
			}
		})
		r.logged(fmt.Sprintf("loop.mqtt_connect me%v bob pw will=gone", version))
		for qos := range 3 {
			r.logged(fmt.Sprintf("loop.mqtt_message t/x hello %d false", qos))
		}
		r.do(func() { _ = c.Close(nil) })
		r.logged("loop.close local")
		r.mu.Lock()
		r.log = nil
		r.mu.Unlock()
	}
}

// TestMosquittoClients has clients by others at our broker.
func TestMosquittoClients(t *testing.T) {
	t.Parallel()
	sub, pub := program(t, "mosquitto_sub"), program(t, "mosquitto_pub")
	r := newRig(t, 1, nil)
	for _, version := range []string{"311", "5"} {
		for _, qos := range []string{"0", "1", "2"} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			topic := "m/" + version + "/" + qos
			listen := exec.CommandContext(ctx, sub, "-V", version, "-p", r.port(), "-t", "m/"+version+"/+", "-q", qos, "-C", "2", "-v")
			var out strings.Builder
			listen.Stdout, listen.Stderr = &out, &out
			if err := listen.Start(); err != nil {
				t.Fatal(err)
			}
			r.logged("loop.mqtt_subscribe m/" + version + "/+ " + qos)
			for _, text := range []string{"first", "second"} {
				if out, err := exec.CommandContext(ctx, pub, "-V", version, "-p", r.port(), "-t", topic, "-m", text, "-q", qos).CombinedOutput(); err != nil {
					t.Errorf("%v: %s", err, out)
				}
			}
			if err := listen.Wait(); err != nil || out.String() != topic+" first\n"+topic+" second\n" {
				t.Errorf("version %s, quality %s: %v: %s", version, qos, err, &out)
			}
			cancel()
			r.mu.Lock()
			r.log = nil
			r.mu.Unlock()
		}
	}
}

// TestMosquittoBroker has our client at a broker by others.
func TestMosquittoBroker(t *testing.T) {
	t.Parallel()
	path := program(t, "mosquitto")
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := ln.Addr().String()
	_ = ln.Close()
	conf := filepath.Join(t.TempDir(), "m.conf")
	_, port, _ := net.SplitHostPort(at)
	if err := os.WriteFile(conf, []byte("listener "+port+" 127.0.0.1\nallow_anonymous true\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	broker := exec.Command(path, "-c", conf)
	if err := broker.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = broker.Process.Kill()
		_ = broker.Wait()
	})
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		c, err := net.Dial("tcp", at)
		if err == nil {
			_ = c.Close()
			break
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
	r := newRig(t, 1, nil)
	versions := []float64{4, 5}
	if testing.Short() {
		versions = versions[1:]
	}
	for _, version := range versions {
		c := r.connect("mqtt://"+at, event.KV{Key: "version", Value: version}, event.KV{Key: "keep_alive", Value: "1s"})
		r.logged("loop.mqtt_connected 0")
		r.do(func() {
			_ = c.Subscribe(nil, "t/+", 2, true)
			for qos := range uint8(3) {
				_ = c.Publish(nil, "t/x", []byte("hello"), qos, true, false)
			}
		})
		for qos := range 3 {
			r.logged(fmt.Sprintf("loop.mqtt_message t/x hello %d false", qos))
		}
		time.Sleep(1800 * time.Millisecond) // it is pinged, or the broker would end it
		r.do(func() {
			if err := c.Publish(nil, "t/y", []byte("still"), 0, true, false); err != nil {
				t.Error(err)
			}
		})
		r.logged("loop.mqtt_message t/y still 0 false")
		r.do(func() { _ = c.Close(nil) })
		r.logged("loop.close local")
		r.mu.Lock()
		r.log = nil
		r.mu.Unlock()
	}
}

// TestIdentifiers has a subscription and a message under way together: neither has the
// other's identifier (MQTT 5 section 2.2.1).
func TestIdentifiers(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	r := newRig(t, 1, nil)
	c := r.connect("mqtt://" + ln.Addr().String())
	conn, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	p := &peer{t: t, c: conn, version: mqttwire.V311}
	p.version = p.expect("connect").Version
	p.send(&mqttwire.Packet{Type: mqttwire.Connack})
	r.logged("loop.mqtt_connected 0")
	r.do(func() {
		for i := range 3 {
			if err := errors.Join(c.Subscribe(nil, fmt.Sprint("t/", i), 1, true), c.Publish(nil, "x", nil, 1, true, false)); err != nil {
				t.Error(err)
			}
		}
	})
	seen := map[uint16]bool{}
	for range 6 {
		pkt := p.recv()
		if pkt == nil || seen[pkt.ID] {
			t.Fatalf("%+v behind %v", pkt, seen)
		}
		seen[pkt.ID] = true
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	kv := func(key string, v any) event.KV { return event.KV{Key: key, Value: v} }
	for _, c := range []struct {
		list    []event.KV
		inbound bool
		ok      bool
	}{
		{nil, true, true},
		{nil, false, true},
		{[]event.KV{kv("client_id", "x"), kv("keep_alive", "30s"), kv("version", 5.)}, false, true},
		{[]event.KV{kv("will", []event.KV{kv("topic", "t"), kv("payload", "x"), kv("qos", 1.), kv("retain", true)})}, false, true},
		{[]event.KV{kv("client_id", "x")}, true, false},
		{[]event.KV{kv("version", 6.)}, false, false},
		{[]event.KV{kv("keep_alive", "10ms")}, false, false},
		{[]event.KV{kv("password", "x")}, false, false},
		{[]event.KV{kv("will", "x")}, false, false},
		{[]event.KV{kv("will", []event.KV{kv("topic", "#")})}, false, false},
		{[]event.KV{kv("will", []event.KV{kv("what", "#")})}, false, false},
		{[]event.KV{kv("what", "x")}, false, false},
	} {
		if _, err := New().Options(c.list, c.inbound); (err == nil) != c.ok {
			t.Errorf("%v: %v", c.list, err)
		}
	}
}
