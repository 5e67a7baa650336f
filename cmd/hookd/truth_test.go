package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// cleanCaptures are captures by others all of whose TCP connections begin with
// their SYN and miss nothing.
var cleanCaptures = []string{
	"pcap/zeek/ftp__bruteforce.pcap",
	"pcap/zeek/ssh__ssh.client-side-half-duplex.pcap",
	"pcap/suricata-verify/http-range-multiflows__input.pcap",
	"pcap/tcpdump/resp_1_benchmark.pcap",
	"pcap/zeek/krb__kerberos_tso.pcapng",
	"pcap/zeek/ldap__ldap_escaping_test.pcapng",
	"pcap/suricata-verify/output-multi-eve__input.pcap",
	"pcap/joy/kali-password-attack_hydra.pcap",
	"pcap/zeek/redis__attr.pcap",
	"pcap/arkime/opcua_synthetic.pcap",
	"pcap/mercury/test__data__top_100_fingerprints.pcap",
	"pcap/zeek/smb__smb_many_open_files_500.pcap",
}

// corpora finds the captures by others.
func corpora(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("HOOKD_CORPORA")
	if dir == "" {
		dir = "../../../shared/corpora/public"
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no captures by others at %s; HOOKD_CORPORA names their place", dir)
	}
	return dir
}

// stream is a connection as both sides of the comparison know it.
type stream struct {
	Client      string `json:"client"`
	Server      string `json:"server"`
	ClientBytes uint64 `json:"client_bytes"`
	ServerBytes uint64 `json:"server_bytes"`
}

// TestTruth replays captures by others and compares the connections that
// --print shows with what another program found in them.
func TestTruth(t *testing.T) {
	dir := corpora(t)
	truth := streams(t, filepath.Join(dir, "truth", "tcp_streams.tsv"))
	for _, name := range cleanCaptures {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			var out, logs bytes.Buffer
			if code := run([]string{"replay", filepath.Join(dir, name), "--print", "flow.conn_end"}, nil, &out, &logs); code != exitDone {
				t.Fatalf("exit %d\n%s", code, &logs)
			}
			var got []stream
			dec := json.NewDecoder(&out)
			for dec.More() {
				var s stream
				if err := dec.Decode(&s); err != nil {
					t.Fatal(err)
				}
				got = append(got, s)
			}
			if len(truth[name]) == 0 {
				t.Fatal("the truth knows no connection of it")
			}
			if diff := cmp.Diff(sorted(truth[name]), sorted(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func sorted(list []stream) []string {
	var out []string
	for _, s := range list {
		out = append(out, fmt.Sprint(s))
	}
	sort.Strings(out)
	return out
}

// streams reads the truth: by capture, endpoints and unique bytes each way.
func streams(t *testing.T, path string) map[string][]stream {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all := map[string][]stream{}
	column := map[string]int{}
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		cells := strings.Split(strings.TrimPrefix(sc.Text(), "#"), "\t")
		if len(column) == 0 {
			for i, name := range cells {
				column[name] = i
			}
			continue
		}
		s := stream{Client: endpoint(t, cells[column["a"]]), Server: endpoint(t, cells[column["b"]])}
		if _, err := fmt.Sscan(cells[column["uniq_ab"]]+" "+cells[column["uniq_ba"]], &s.ClientBytes, &s.ServerBytes); err != nil {
			t.Fatalf("%s: %v", cells[0], err)
		}
		all[cells[0]] = append(all[cells[0]], s)
	}
	if err := sc.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// endpoint rewrites "10.0.0.1 80" as netip prints it.
func endpoint(t *testing.T, cell string) string {
	t.Helper()
	ip, port, _ := strings.Cut(cell, " ")
	ap, err := netip.ParseAddrPort(netip.MustParseAddr(ip).String() + ":" + port)
	if err != nil {
		ap, err = netip.ParseAddrPort("[" + ip + "]:" + port)
	}
	if err != nil {
		t.Fatal(err)
	}
	return ap.String()
}
