package main

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/hookd/hookd/spec/testbed"
)

// TestLoadClients is asked by other people's load generators, over connections that stay
// open: all they ask is answered, and nothing but 200.
func TestLoadClients(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	t.Parallel()
	h := newLoopHouse(t, `
loop.listen "api" { url = "http://127.0.0.1:0" }
rule "hello" { on = loop.http_request, match = { path = "/" }, run = function(c, req) return loop.reply(200, "hello\n") end }
`)
	url := "http://" + h.at("api") + "/"
	count, seconds := "20000", "1s"
	if testbed.Proving() {
		count, seconds = "1000000", "10s"
	}
	for _, c := range []struct {
		name, clean string
		argv        []string
	}{
		{"wrk", `(?s)^[^!]*\d+ requests in`, []string{"wrk", "-t", "2", "-c", "64", "-d", seconds, url}},
		{"h2load", `requests: ` + count + ` total, \d+ started, \d+ done, ` + count + ` succeeded, 0 failed, 0 errored, 0 timeout`, []string{"h2load", "--h1", "-n", count, "-c", "64", url}},
		{"pipelined", `requests: ` + count + ` total, \d+ started, \d+ done, ` + count + ` succeeded, 0 failed, 0 errored, 0 timeout`, []string{"h2load", "--h1", "-m", "16", "-n", count, "-c", "16", url}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := exec.LookPath(c.argv[0])
			testbed.Need(t, c.argv[0], err)
			out, err := exec.CommandContext(t.Context(), c.argv[0], c.argv[1:]...).CombinedOutput()
			text := string(out)
			if err != nil || !regexp.MustCompile(c.clean).MatchString(text) || strings.Contains(text, "Socket errors") || strings.Contains(text, "Non-2xx") {
				t.Fatalf("%v\n%s", err, text)
			}
			t.Log(regexp.MustCompile(`(?m)^finished.*|^Requests/sec.*`).FindString(text))
		})
	}
}
