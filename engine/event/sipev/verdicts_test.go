package sipev_test

import (
	"testing"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/sipev"
)

// TestRelayArgsString: two relays that do something else are told otherwise.
func TestRelayArgsString(t *testing.T) {
	t.Parallel()
	target := func(fields ...any) []event.KV {
		var list []event.KV
		for i := 0; i < len(fields); i += 2 {
			list = append(list, event.KV{Key: fields[i].(string), Value: fields[i+1]})
		}
		return list
	}
	for _, c := range []struct {
		args sipev.RelayArgs
		want string
	}{
		{sipev.RelayArgs{}, ""},
		{sipev.RelayArgs{To: "sip:a", NextHop: "sip:p"}, "sip:a by sip:p"},
		{sipev.RelayArgs{Fork: []string{"sip:a", "sip:b"}, Timeout: 5 * time.Second, HasTimeout: true}, "sip:a sip:b timeout=5s"},
		{sipev.RelayArgs{To: "sip:a", OnFailure: "backup", RecordRoute: true}, "sip:a on_failure=backup record_route"},
		{
			sipev.RelayArgs{Targets: []any{
				"sip:a",
				target("uri", "sip:b", "next_hop", "sip:p", "step", 1.0, "backup", false, "q", 0.5),
				target("next_hop", "sip:p2", "route", []any{"<sip:r;lr>"}, "socket", "192.0.2.1", "step", 2.0, "backup", true),
			}},
			"sip:a sip:b by sip:p by sip:p2 route=[<sip:r;lr>] socket=192.0.2.1 step=2 backup=true",
		},
	} {
		if got := c.args.String(); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
}
