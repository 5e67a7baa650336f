package flowev

import (
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"
)

// maxToldPayload is up to how many bytes of a payload are written out.
const maxToldPayload = 32

// String says what is replaced: "dst=10.0.0.2 dst_port=80 ttl=63". Of a longer payload it says the length and
// how its SHA-256 begins, so that another payload is told otherwise.
func (a *ReplaceArgs) String() string {
	var parts []string
	say := func(named bool, name string, value any) {
		if named {
			parts = append(parts, fmt.Sprint(name, "=", value))
		}
	}
	say(a.Src.IsValid(), "src", a.Src)
	say(a.Dst.IsValid(), "dst", a.Dst)
	say(a.HasSrcPort, "src_port", a.SrcPort)
	say(a.HasDstPort, "dst_port", a.DstPort)
	say(a.HasTTL, "ttl", a.TTL)
	switch n := len(a.Payload); {
	case n > maxToldPayload:
		sum := sha256.Sum256(a.Payload)
		say(true, "payload", fmt.Sprintf("(%d bytes, %x)", n, sum[:8]))
	default:
		say(n > 0, "payload", strconv.Quote(string(a.Payload)))
	}
	return strings.Join(parts, " ")
}
