package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// scenarioOf returns the path of one of our own.
func scenarioOf(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("testdata/sipp", name+".xml"))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// TestSippEdge has sipp's phones log in at the stock policy: they register and call by
// challenges that sipp answers, and those with a wrong password do not.
func TestSippEdge(t *testing.T) {
	t.Parallel()
	r := sippWith(t, "../../scripts/edge/edge.lua", "../../scripts/edge/users.txt")
	uas := scenario(t, "uas")
	register := func(scenario, password string) {
		t.Helper()
		c := r.call(t, scenario, 5, 20, "-s", "bob", "-au", "bob", "-ap", password, "-key", "callee", fmt.Sprint(r.callee))
		if c.ok != 5 || c.failed != 0 {
			t.Errorf("%+v of 5 registrations with %s", c, password)
		}
	}
	log := scenarioOf(t, "login_uac")
	refused := filepath.Join(t.TempDir(), "refused.xml")
	before, _, _ := strings.Cut(readOrEmpty(log), `<recv response="200">`)
	writeFile(t, refused, before+"<recv response=\"401\" />\n</scenario>\n")
	register(refused, "guess")
	register(log, "bob")
	if c := r.calls(t, scenarioOf(t, "login_call_uac"), uas, 10, 50, "-s", "bob"); c.ok != 10 || c.failed != 0 {
		t.Errorf("%+v of 10 calls", c)
	}
}

// TestSippBalancer has calls spread over gateways of which two are not there.
func TestSippBalancer(t *testing.T) {
	t.Parallel()
	r := sippWith(t, "../../scripts/balancer/balancer.lua")
	if c := r.calls(t, scenario(t, "uac"), scenario(t, "uas"), 12, 20); c.ok != 12 || c.failed != 0 {
		t.Errorf("%+v of 12 calls", c)
	}
	records, err := os.ReadFile(r.p.records)
	if err != nil || !strings.Contains(string(records), `"name":"gateway"`) || !strings.Contains(string(records), `"up":false`) {
		t.Errorf("%v\n%s", err, records)
	}
}
