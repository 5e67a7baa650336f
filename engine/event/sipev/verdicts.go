package sipev

import (
	"fmt"
	"strings"

	"github.com/hookd/hookd/engine/event"
)

// String says what is answered: "403 Forbidden".
func (a *ReplyArgs) String() string {
	return strings.TrimSpace(fmt.Sprint(a.Code, " ", a.Reason))
}

// String says where it goes: "sip:b@192.0.2.2", several with spaces between; empty where
// Route or the request's URI say it.
func (a *RelayArgs) String() string {
	var to []string
	if a.To != "" {
		to = append(to, a.To)
	}
	to = append(to, a.Fork...)
	list, _ := a.Targets.([]any)
	for _, target := range list {
		switch target := target.(type) {
		case string:
			to = append(to, target)
		case []event.KV:
			for _, kv := range target {
				if uri, ok := kv.Value.(string); ok && kv.Key == "uri" {
					to = append(to, uri)
				}
			}
		}
	}
	if a.NextHop != "" {
		to = append(to, "by", a.NextHop)
	}
	return strings.Join(to, " ")
}
