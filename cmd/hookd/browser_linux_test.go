package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hookd/hookd/spec/testbed"
)

// browser returns Chromium's program. CI has none, since a browser takes longer to install than
// the rest of what tests need together.
func browser(t *testing.T) string {
	t.Helper()
	if !testbed.Proving() && testing.Short() {
		t.Skip("a browser is started by spec/prove/run, and by runs that are not short")
	}
	for _, name := range []string{"chromium-headless-shell", "chromium", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if testbed.Proving() {
		t.Fatal("chromium-headless-shell needed (apt)")
	}
	t.Skip("chromium-headless-shell needed (apt), which CI does without")
	return ""
}

// TestChatInBrowser has the chat's page talk in Chromium.
func TestChatInBrowser(t *testing.T) {
	program := browser(t)
	s := serve(t, filepath.Join("../../examples", "chat"))
	at := s.at["127.0.0.1:18090"]
	bob := openWebSocket(t, at, "/ws?name=bob")
	bob.hear("* bob is here")
	page := browse(t, program, "http://"+at+"/?name=ann")
	bob.hear("* ann is here")
	page.shows("* ann is here\n")
	bob.say("hello, ann")
	bob.hear("bob: hello, ann")
	page.shows("* ann is here\nbob: hello, ann\n")
	page.run(`document.getElementById("text").value = "<b>hello</b>, bob"; document.getElementById("say").requestSubmit()`)
	bob.hear("ann: <b>hello</b>, bob")
	page.shows("* ann is here\nbob: hello, ann\nann: <b>hello</b>, bob\n")
	if got := page.run(`document.querySelectorAll("#log b").length + " " + document.getElementById("text").value.length`); got != "0 0" {
		t.Errorf("%s: what is said becomes markup, or stays in the field", got)
	}
	page.run(`location.href = "about:blank"`)
	bob.hear("* ann left")
	t.Logf("%s heard and said all of it", page.version)
}

// tab is a page in a browser, which is asked by the DevTools protocol.
type tab struct {
	*talker
	version string
	asked   int
}

// browse opens a page in a browser of its own.
func browse(t *testing.T, program, url string) *tab {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command(program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
		"--remote-debugging-port=0", "--user-data-dir="+dir, url)
	said, err := os.Create(filepath.Join(t.TempDir(), "said"))
	if err != nil {
		t.Fatal(err)
	}
	defer said.Close()
	cmd.Stderr = said
	// The program may be a script that starts it: the group is ended, not it alone.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// Its processes have to be gone before its folder can be.
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		_ = cmd.Wait()
		for end := time.Now().Add(5 * time.Second); syscall.Kill(-cmd.Process.Pid, 0) == nil; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			}
		}
	})
	// Its port is the first line of that file.
	at, end := "", time.Now().Add(30*time.Second)
	for ; at == ""; time.Sleep(10 * time.Millisecond) {
		if port, _, ok := strings.Cut(readOrEmpty(filepath.Join(dir, "DevToolsActivePort")), "\n"); ok {
			at = "127.0.0.1:" + port
		} else if time.Now().After(end) {
			t.Fatalf("the browser does not start\n%s", readOrEmpty(said.Name()))
		}
	}
	var about struct{ Browser string }
	lists(t, "http://"+at+"/json/version", &about)
	for ; ; time.Sleep(10 * time.Millisecond) {
		var pages []struct{ Type, URL, WebSocketDebuggerURL string }
		lists(t, "http://"+at+"/json/list", &pages)
		for _, p := range pages {
			if p.Type == "page" && p.URL == url {
				_, target, _ := strings.Cut(p.WebSocketDebuggerURL, at)
				return &tab{talker: openWebSocket(t, at, target), version: about.Browser}
			}
		}
		if time.Now().After(end) {
			t.Fatalf("the browser has no such page: %v", pages)
		}
	}
}

func readOrEmpty(name string) string {
	text, _ := os.ReadFile(name)
	return string(text)
}

// lists reads what a browser says about itself.
func lists(t *testing.T, url string, into any) {
	t.Helper()
	code, body := ask(t, http.MethodGet, url, "")
	if err := json.Unmarshal([]byte(body), into); code != 200 || err != nil {
		t.Fatal(code, body, err)
	}
}

// run evaluates an expression in the page, and returns what it is as text.
func (p *tab) run(expression string) string {
	p.t.Helper()
	p.asked++
	text, err := json.Marshal(map[string]any{"id": p.asked, "method": "Runtime.evaluate", "params": map[string]any{"expression": expression}})
	if err != nil {
		p.t.Fatal(err)
	}
	p.say(string(text))
	for {
		var answer struct {
			ID     int
			Result struct {
				Result           struct{ Value any }
				ExceptionDetails any
			}
		}
		if err := json.Unmarshal([]byte(p.next()), &answer); err != nil {
			p.t.Fatal(err)
		}
		if answer.ID != p.asked {
			continue // an event
		}
		if e := answer.Result.ExceptionDetails; e != nil {
			p.t.Fatalf("%s: %v", expression, e)
		}
		return fmt.Sprint(answer.Result.Result.Value)
	}
}

// shows waits until the page has heard that.
func (p *tab) shows(want string) {
	p.t.Helper()
	got := ""
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if got = p.run(`document.getElementById("log").textContent`); got == want {
			return
		}
	}
	p.t.Errorf("the page shows %q, want %q", got, want)
}
