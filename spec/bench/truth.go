package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
)

// connection is what is known of one TCP connection, and what records tell of
// it: addresses left out, since makers of captures rewrite them.
type connection struct {
	client, server           uint16 // ports
	clientBytes, serverBytes uint64
}

// truth counts the connections that begin in a capture.
type truth map[connection]int

// total returns how many they are.
func (t truth) total() int {
	n := 0
	for _, count := range t {
		n += count
	}
	return n
}

// readTruth reads a TSV of client port, server port, bytes of the client, bytes
// of the server, and how many such connections there are; lines that begin with
// # say something else.
func readTruth(path string) (truth, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	t := truth{}
	sc := bufio.NewScanner(file)
	for line := 1; sc.Scan(); line++ {
		if strings.HasPrefix(sc.Text(), "#") {
			continue
		}
		var c connection
		var n int
		if _, err := fmt.Sscan(sc.Text(), &c.client, &c.server, &c.clientBytes, &c.serverBytes, &n); err != nil {
			return nil, fmt.Errorf("%s:%d: five numbers expected: %w", path, line, err)
		}
		t[c] += n
	}
	return t, sc.Err()
}

// endRecord is what a conn_end record tells.
type endRecord struct {
	Event       string         `json:"event"`
	Client      netip.AddrPort `json:"client"`
	Server      netip.AddrPort `json:"server"`
	ClientBytes uint64         `json:"client_bytes"`
	ServerBytes uint64         `json:"server_bytes"`
}

// mostMissing is the share of connections that records may lack, or have with
// other bytes: what programs count behind a RST differs.
const mostMissing = 0.002

// check compares the conn_end records in the file at path with the truth.
func (t truth) check(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	got := truth{}
	for dec := json.NewDecoder(bufio.NewReaderSize(file, 1<<20)); ; {
		var r endRecord
		err := dec.Decode(&r)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", fmt.Errorf("read records: %w", err)
		}
		if r.Event == "flow.conn_end" {
			got[connection{r.Client.Port(), r.Server.Port(), r.ClientBytes, r.ServerBytes}]++
		}
	}
	if t == nil {
		return fmt.Sprintf("%d connections", got.total()), nil
	}
	same := 0
	for c, n := range t {
		same += min(n, got[c])
	}
	found := fmt.Sprintf("%d connections; %d of the %d that begin in it with the very bytes", got.total(), same, t.total())
	if float64(t.total()-same) > mostMissing*float64(t.total()) {
		return found, fmt.Errorf("%s: too few", found)
	}
	return found, nil
}

// firstLine and lastLine take a line of a program's output for what it found.
func firstLine(path string) (string, error) {
	text, err := os.ReadFile(path)
	line, _, _ := strings.Cut(string(text), "\n")
	return line, err
}

func lastLine(path string) (string, error) {
	text, err := os.ReadFile(path)
	trimmed := strings.TrimSpace(string(text))
	return trimmed[strings.LastIndexByte(trimmed, '\n')+1:], err
}
