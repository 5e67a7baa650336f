package digest

import (
	"strings"

	"github.com/hookd/hookd/stacks/sip/msg"
)

// param is a parameter of a challenge or of credentials, and where its value goes.
type param struct {
	name string
	to   *string
}

// parse reads the parameters of a value of the Digest scheme in any order, without their
// quotes; those that nobody wants are passed over. ours says whether it is of the scheme,
// known whether its algorithm is.
func parse(value []byte, wanted ...param) (a Algorithm, ours, known bool) {
	v := msg.ParseAuth(value)
	if !msg.EqualFold(v.Scheme, []byte("Digest")) {
		return a, false, false
	}
	algorithm := MD5.String()
	wanted = append(wanted, param{"algorithm", &algorithm})
	v.Each(func(name, text []byte) bool {
		for _, p := range wanted {
			if strings.EqualFold(string(name), p.name) {
				*p.to = string(msg.Unquote(nil, text))
			}
		}
		return true
	})
	a, known = ParseAlgorithm(algorithm)
	return a, true, known
}
