package filter

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "record what tcpdump says")

const (
	expressionsFile = "testdata/expressions.txt"
	recordedFile    = "testdata/tcpdump.golden"
)

func expressions(t testing.TB) []string {
	t.Helper()
	text, err := os.ReadFile(expressionsFile)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// TestScopeAgainstTcpdump compares the scope of each expression with what
// libpcap's filter selects of the first packets, untagged and in a VLAN. For the
// tagged ones libpcap is asked for "vlan and (...)", since without it its tests
// look at the wrong bytes.
func TestScopeAgainstTcpdump(t *testing.T) {
	needTcpdump(t)
	plain, tagged := keys(0), keys(7)
	plainFile, taggedFile := captureOf(t, plain), captureOf(t, tagged)
	var record strings.Builder
	exprs := expressions(t)
	t.Logf("%d scopes, %d keys", len(exprs), len(plain))
	for _, expr := range exprs {
		want := compareWithTcpdump(t, expr, expr, plain, plainFile)
		inVLAN := "vlan"
		if expr != "" {
			inVLAN = "vlan and (" + expr + ")"
		}
		compareWithTcpdump(t, expr, inVLAN, tagged, taggedFile)
		fmt.Fprintf(&record, "%s %s\n", want, expr)
	}
	if *update {
		if err := os.WriteFile(recordedFile, []byte(record.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// compareWithTcpdump asks libpcap with oracleExpr and returns what it says.
func compareWithTcpdump(t *testing.T, expr, oracleExpr string, keys []Key, file []byte) string {
	t.Helper()
	want, err := tcpdump(t, file, len(keys), oracleExpr)
	if err != nil {
		t.Errorf("tcpdump refuses %q: %v", oracleExpr, err)
	}
	if got := matches(t, expr, keys); got != want {
		t.Errorf("%q\n     scope has %s\ntcpdump selects %s", expr, got, want)
		for i := range min(len(got), len(want)) {
			if got[i] != want[i] {
				t.Logf("  %c, want %c: %s", got[i], want[i], oracleKeys[i])
			}
		}
	}
	return want
}

// TestScopeAgainstRecord does the same without tcpdump.
func TestScopeAgainstRecord(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(recordedFile)
	if err != nil {
		t.Fatal(err)
	}
	plain, tagged := keys(0), keys(7)
	recorded := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if n := len(expressions(t)); len(recorded) != n || n < 100 {
		t.Fatalf("%d records of %d expressions; run go test -run Tcpdump -update", len(recorded), n)
	}
	for _, line := range recorded {
		want, expr, _ := strings.Cut(line, " ")
		if got := matches(t, expr, plain); got != want {
			t.Errorf("%q\n     scope has %s\ntcpdump selected %s", expr, got, want)
		}
		if got := matches(t, expr, tagged); got != want {
			t.Errorf("%q in a VLAN\n     scope has %s\ntcpdump selected %s", expr, got, want)
		}
	}
}

// TestRandomScopesAgainstTcpdump joins tests of the recorded expressions at
// random, and gives the joined ones bare values.
func TestRandomScopesAgainstTcpdump(t *testing.T) {
	needTcpdump(t)
	const seed, count = 20, 150
	random := rand.New(rand.NewPCG(seed, seed))
	plain := keys(0)
	file := captureOf(t, plain)
	for range count {
		expr := randomExpression(random, 3)
		compareWithTcpdump(t, expr, expr, plain, file)
	}
}

func randomExpression(random *rand.Rand, depth int) string {
	pick := func(words ...string) string { return words[random.IntN(len(words))] }
	simple := pick("tcp", "udp", "ip", "ip6", "icmp", "sctp", "proto 17")
	host := pick("", "src ", "dst ") + "host " + pick("10.1.2.3", "216.58.1.1", "8.8.8.8", "2001:db8::1", "fe80::1")
	net := pick("", "src ", "dst ") + "net " + pick("10", "10.1", "216.58", "192.168.0.0/16", "2001:db8::/32", "fe80::/10")
	port := pick("", "tcp ", "udp ") + pick("", "src ", "dst ") + "port " + pick("80", "53", "5060", "sip", "domain")
	test := pick(simple, host, net, port,
		host+pick(" or ", " and not ")+pick("8.8.8.8", "10.1.2.4", "fe80::1"),
		port+pick(" or ", " and not ")+pick("80", "443", "5060"),
		"host ("+pick("10.1.2.3", "fe80::1")+pick(" or ", " and ")+pick("8.8.8.8", "10.1.2.4")+")",
		"portrange "+pick("1-100", "80-90", "5000-6000"))
	if depth == 0 {
		return pick("", "not ") + test
	}
	left, right := randomExpression(random, depth-1), randomExpression(random, depth-1)
	joined := left + pick(" and ", " or ") + right
	return pick(joined, joined, "("+joined+")", "not ("+joined+")", left+pick(" and (", " or not (")+right+")")
}

// TestVLANScopes are the expressions with "vlan" that mean the same in libpcap:
// those in which no test depends on how many tags were looked at before.
func TestVLANScopes(t *testing.T) {
	needTcpdump(t)
	for _, vlan := range []uint16{0, 7, 8} {
		all := keys(vlan)
		file := captureOf(t, all)
		for _, expr := range []string{
			"vlan", "vlan 7", "vlan 8", "vlan 4095", "not vlan", "not vlan 7", "vlan (7)", "vlan 0x7",
			"vlan and tcp", "vlan 7 and tcp port 80", "vlan 7 and host 10.1.2.3 and 8.8.8.8",
			"vlan 7 and (udp or icmp)", "vlan and not tcp", "vlan 7 && ip6", "vlan 7 and net 2001:db8::/32",
		} {
			compareWithTcpdump(t, expr, expr, all, file)
		}
	}
}
