package main

import (
	"errors"
	"fmt"
	"go/token"
	"slices"
	"strings"

	"github.com/hookd/hookd/spec/model"
)

// goName turns snake_case into an exported Go name: tcp_state -> TCPState.
func goName(name string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(strings.ReplaceAll(name, ".", "_"), "_") {
		if part == "" {
			continue
		}
		if slices.Contains(initialismWords, part) {
			b.WriteString(strings.ToUpper(part))
			continue
		}
		b.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	return b.String()
}

// goLocal turns snake_case into a name for a Go parameter or result that
// collides with nothing around it.
func goLocal(name string) string {
	exported := goName(name)
	first, rest, _ := strings.Cut(name, "_")
	local := first + exported[len(goName(first)):]
	if rest == "" {
		local = first
	}
	if token.IsKeyword(local) || slices.Contains(takenLocals, local) {
		local += "Arg"
	}
	return local
}

// initialismWords are the words that Go writes in capitals.
var initialismWords = strings.Fields(`acl alpn api cid cpu db dns dscp ecn eof fd gid html http https icmp icmp6 id ip ipv4 ipv6 isn
	json mac mpls mqtt mss mtu pid rtt ruri sack sctp sdp sip sni sql ssh tcp tls ts ttl udp uid uri url utf8 vlan vm ws xml`)

// takenLocals are names that generated functions use themselves.
var takenLocals = strings.Fields(`a b c caller done dst e err h key o ok v bool string float64 int64 uint8 uint16 uint32
	uint64 any append call fn len named nil results self true x false bind bytes event lua netip plain slices strconv time`)

// checkGoNames refuses declarations whose Go names collide within a package.
func checkGoNames(spec *model.Spec) error {
	var errs []error
	for _, f := range spec.Families {
		c := &goNames{seen: map[string]model.Pos{"Family": f.At, "Functions": f.At}}
		c.family(f)
		errs = append(errs, c.errs...)
	}
	return errors.Join(errs...)
}

// goNames collects the exported names of one package.
type goNames struct {
	seen map[string]model.Pos
	errs []error
}

func (c *goNames) add(at model.Pos, what, name string) {
	if first, taken := c.seen[name]; taken {
		c.errs = append(c.errs, fmt.Errorf("%s: %s becomes %s in Go, a name that the declaration at %s has already", at, what, name, first))
		return
	}
	c.seen[name] = at
}

func (c *goNames) family(f *model.Family) {
	for _, e := range f.Enums {
		c.add(e.At, "enum "+e.Name, goName(e.Name))
		for _, word := range e.Names {
			c.add(e.At, "enum "+e.Name+": word "+word, goName(e.Name)+goName(word))
		}
		c.add(e.At, "enum "+e.Name, "Parse"+goName(e.Name))
	}
	for _, v := range f.Verdicts {
		c.add(v.At, "verdict "+v.Name, "Verdict"+goName(v.Name))
		if len(v.Args) != 0 {
			c.add(v.At, "verdict "+v.Name, goName(v.Name)+"Args")
		}
	}
	for _, o := range f.Objects {
		c.add(o.At, "object "+o.Name, goName(o.Name))
		if len(o.Record) != 0 {
			c.add(o.At, "object "+o.Name, "Append"+goName(o.Name)+"JSON")
		}
	}
	for _, e := range f.Events {
		c.add(e.At, "event "+e.Name, goName(e.Name))
		for _, p := range points(e) {
			c.add(e.At, "event "+e.Name, p.goVar)
		}
	}
}
