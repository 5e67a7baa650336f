package dns

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"
)

// Settings say whom a [Resolver] asks, and how.
type Settings struct {
	// Servers are asked in turn; 127.0.0.1:53 where there is none.
	Servers []netip.AddrPort
	// Search are domains in which a name is looked for that has fewer dots than Ndots,
	// which is 1 by default.
	Search []string
	Ndots  int
	// Timeout is how long a server may take, 5 s by default; Attempts how often all of
	// them are asked, 2 by default.
	Timeout  time.Duration
	Attempts int
	// Rotate begins with another server each time.
	Rotate bool
	// Hosts are names, in lower case, that need no server.
	Hosts map[string][]netip.Addr
}

// Bounds of the system's files.
const (
	maxServers  = 8
	maxSearch   = 32
	maxHostFile = 8 << 20
)

func (s Settings) withDefaults() Settings {
	if len(s.Servers) == 0 {
		s.Servers = []netip.AddrPort{netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 53)}
	}
	if s.Ndots < 0 || s.Ndots > 15 {
		s.Ndots = 1
	}
	if s.Timeout <= 0 {
		s.Timeout = 5 * time.Second
	}
	if s.Attempts <= 0 {
		s.Attempts = 2
	}
	return s
}

// Files names the system's files.
type Files struct {
	Resolv, Hosts string
}

// SystemFiles are /etc/resolv.conf and /etc/hosts.
func SystemFiles() Files { return Files{Resolv: "/etc/resolv.conf", Hosts: "/etc/hosts"} }

// Read reads the files. One that is not there is empty.
func (f Files) Read() (Settings, error) {
	s := Settings{Ndots: 1}
	resolv, err := readFile(f.Resolv)
	if err != nil {
		return s, err
	}
	s.parseResolv(resolv)
	hosts, err := readFile(f.Hosts)
	if err != nil {
		return s, err
	}
	s.Hosts = parseHosts(hosts)
	return s, nil
}

func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("dns: open settings: %w", err)
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, maxHostFile))
	if err != nil {
		return nil, fmt.Errorf("dns: read settings: %w", err)
	}
	return text, nil
}

// parseResolv reads what resolv.conf(5) has that matters here; what it does not know
// it leaves, as resolvers do.
func (s *Settings) parseResolv(text []byte) {
	for line := range bytes.Lines(text) {
		f := strings.Fields(string(line))
		if len(f) < 2 || f[0][0] == '#' || f[0][0] == ';' {
			continue
		}
		switch f[0] {
		case "nameserver":
			if a, err := netip.ParseAddr(f[1]); err == nil && len(s.Servers) < maxServers {
				s.Servers = append(s.Servers, netip.AddrPortFrom(a, 53))
			}
		case "domain":
			s.Search = searchList(f[1:2])
		case "search":
			s.Search = searchList(f[1:])
		case "options":
			for _, o := range f[1:] {
				s.option(o)
			}
		}
	}
}

func searchList(domains []string) (list []string) {
	for _, d := range domains {
		d = strings.ToLower(strings.TrimSuffix(d, "."))
		if d != "." && ValidName(d) && len(list) < maxSearch {
			list = append(list, d)
		}
	}
	return list
}

func (s *Settings) option(o string) {
	name, value, _ := strings.Cut(o, ":")
	n, err := strconv.Atoi(value)
	if err != nil {
		n = -1
	}
	switch {
	case name == "rotate":
		s.Rotate = true
	case name == "ndots" && n >= 0:
		s.Ndots = min(n, 15)
	case name == "timeout" && n >= 0:
		s.Timeout = time.Duration(max(1, min(n, 30))) * time.Second
	case name == "attempts" && n >= 0:
		s.Attempts = max(1, min(n, 5))
	}
}

// parseHosts reads hosts(5).
func parseHosts(text []byte) map[string][]netip.Addr {
	hosts := map[string][]netip.Addr{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		line, _, _ := strings.Cut(lines.Text(), "#")
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		a, err := netip.ParseAddr(f[0])
		if err != nil {
			continue
		}
		for _, name := range f[1:] {
			name = fold(name)
			hosts[name] = append(hosts[name], a.Unmap())
		}
	}
	return hosts
}

// fold returns a name as it is compared: in lower case, without a dot at the end.
func fold(name string) string {
	if len(name) > 1 {
		name = strings.TrimSuffix(name, ".")
	}
	return strings.ToLower(name)
}
