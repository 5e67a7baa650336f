package loopev_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/loopev"
)

// TestArgsString: two verdicts that do something else are told otherwise.
func TestArgsString(t *testing.T) {
	t.Parallel()
	headers := []event.KV{{Key: "location", Value: "/b"}}
	for _, c := range []struct {
		args fmt.Stringer
		want string
	}{
		{&loopev.RejectArgs{}, ""},
		{&loopev.RejectArgs{With: []byte("no\n")}, `with="no\n"`},
		{&loopev.HoldArgs{Time: time.Second, HasTime: true}, "time=1s"},
		{&loopev.LimitArgs{Rate: 2.5, Burst: 3, HasBurst: true, Key: "k", Excess: loopev.ExcessReset, HasExcess: true}, "rate=2.5 burst=3 key=k excess=reset"},
		{&loopev.ProxyArgs{URL: "tcp://192.0.2.1:80", Connect: time.Minute, HasConnect: true}, "tcp://192.0.2.1:80 connect=1m0s"},
		{&loopev.AnswerArgs{Records: []any{"192.0.2.1"}, TTL: 5, HasTTL: true}, `["192.0.2.1"] ttl=5`},
		{&loopev.ReplyArgs{Status: 302, Headers: headers}, `302 {"location":"/b"}`},
		{&loopev.ReplyArgs{Status: 200, Body: []byte(strings.Repeat("x", 40))}, "200 body=(40 bytes, bd913ff68243d41b)"},
		{&loopev.FileArgs{Root: "web", Path: "a.html"}, "web path=a.html"},
		{&loopev.UpgradeArgs{Protocol: "chat", Headers: []event.KV{}}, "chat"},
	} {
		if got := c.args.String(); got != c.want {
			t.Errorf("%T: %s, want %s", c.args, got, c.want)
		}
	}
}
