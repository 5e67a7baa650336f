package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hookd/hookd/stacks/sip/digest"
	"github.com/hookd/hookd/stacks/sip/msg"
)

const digestPolicy = `
local known = { alice = { password = "sec\"ret" }, bob = { ha1 = digest.ha1("bob", "example.com", "hidden") } }
rule "auth" { on = sip.request_in, run = function(tx, m)
  local proxy = m.method ~= "REGISTER"
  local claim = known[digest.user(m, "example.com", proxy) or ""] or {}
  local user, why = digest.check { message = m, realm = "example.com", password = claim.password, ha1 = claim.ha1, proxy = proxy }
  if user then return sip.reply(200, "Welcome " .. user) end
  return sip.reply(proxy and 407 or 401, why, digest.challenge { realm = "example.com", proxy = proxy, stale = why == "stale" })
end }
`

// signed sends a request with credentials, and says what it is answered with: the reason.
func (r *sipRules) signed(n int, method, field, value string) string {
	r.t.Helper()
	if value != "" {
		value = field + ": " + value + "\r\n"
	}
	r.recv("192.0.2.1", fmt.Sprintf("%s sip:192.0.2.100 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKs%d\r\nMax-Forwards: 70\r\n"+
		"From: <sip:alice@example.com>;tag=a\r\nTo: <sip:alice@example.com>\r\nCall-ID: c\r\nCSeq: %d %s\r\n%sContent-Length: 0\r\n\r\n", method, n, n, method, value))
	line, _, _ := strings.Cut(string(r.sent[len(r.sent)-1]), "\r\n")
	return strings.TrimPrefix(line, "SIP/2.0 ")
}

// challenges reads those of the latest reply.
func (r *sipRules) challenges(of msg.Name) []*digest.Challenge {
	r.t.Helper()
	var m msg.Message
	if err := m.Parse(r.sent[len(r.sent)-1], msg.DefaultLimits()); err != nil {
		r.t.Fatal(err)
	}
	var list []*digest.Challenge
	for v := m.Values(of); v.Next(); {
		c, err := digest.ParseChallenge(v.Value())
		if err != nil {
			r.t.Fatal(err)
		}
		list = append(list, c)
	}
	return list
}

func TestSIPDigest(t *testing.T) {
	r := newSIPRules(t, digestPolicy)
	n := 0
	try := func(method, field, value, want string) {
		t.Helper()
		if n++; r.signed(n, method, field, value) != want {
			t.Errorf("%d: %q; want %q\n%s", n, r.sent[len(r.sent)-1], want, &r.out)
		}
	}
	sign := func(c *digest.Challenge, user, password, method string) string {
		t.Helper()
		value, err := c.Answer(user, &digest.Secret{Password: password}, method, "sip:192.0.2.100", nil)
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	try("REGISTER", "", "", "401 absent")
	list := r.challenges(msg.WWWAuthenticate)
	if len(list) != 2 || list[0].Algorithm != digest.SHA256 || list[1].Algorithm != digest.MD5 || list[0].Stale {
		t.Fatalf("%+v", list)
	}
	good := sign(list[0], "alice", `sec"ret`, "REGISTER")
	try("REGISTER", "Authorization", good, "200 Welcome alice")
	try("REGISTER", "Authorization", good, "401 stale")
	if again := r.challenges(msg.WWWAuthenticate); !again[0].Stale {
		t.Error("what is played back is not called stale")
	}
	try("REGISTER", "Authorization", sign(list[1], "bob", "hidden", "REGISTER"), "200 Welcome bob")
	try("REGISTER", "Authorization", sign(list[0], "bob", "hidden", "REGISTER"), "401 wrong") // his HA1 is MD5's
	try("REGISTER", "Authorization", sign(list[1], "alice", "guess", "REGISTER"), "401 wrong")
	try("REGISTER", "Authorization", sign(list[1], "eve", "", "REGISTER"), "401 wrong")
	try("REGISTER", "Authorization", "Digest realm=\"example.com\", username=\"alice\"", "401 malformed")
	try("OPTIONS", "Proxy-Authorization", good, "407 wrong")
	fresh := r.challenges(msg.ProxyAuthenticate)[0]
	late := sign(fresh, "alice", `sec"ret`, "OPTIONS")
	r.after(6 * time.Minute)
	try("OPTIONS", "Proxy-Authorization", late, "407 stale")
	r.errors()
	if log := r.out.String(); strings.Contains(log, "sec") || strings.Contains(log, "hidden") {
		t.Errorf("a password is in the log\n%s", log)
	}
}

// TestSIPDigestClient lets a policy log in where it forwards to.
func TestSIPDigestClient(t *testing.T) {
	r := newSIPRules(t, `
handler "log-in" { on = sip.on_failure, run = function(tx, m)
  if (m.code ~= 401 and m.code ~= 407) or tx.data.login then return end
  local fields, why = digest.answer { message = m, user = "trunk", password = "pass", method = tx.method, uri = "sip:b@192.0.2.11" }
  if not fields then log.warn(why) return end
  tx.data.login = fields
  return sip.relay { to = "sip:b@192.0.2.11" }
end }
rule "out" { on = sip.request_in, match = { method = "INVITE" }, run = function() return sip.relay { to = "sip:b@192.0.2.11", on_failure = "log-in" } end }
rule "credentials" { on = sip.request_fwded, run = function(tx, m)
  for name, value in pairs(tx.data.login or {}) do m:set_header(name, value) end
end }
`)
	r.request("INVITE", "bob")
	var m msg.Message
	if err := m.Parse(r.sent[len(r.sent)-1], msg.DefaultLimits()); err != nil {
		t.Fatal(err)
	}
	c := digest.Challenge{Realm: "trunk", Nonce: "n1", Algorithm: digest.SHA256, QOP: "auth"}
	weak := digest.Challenge{Realm: "trunk", Nonce: "n2", Algorithm: digest.MD5, QOP: "auth"}
	fields := fmt.Sprintf("Proxy-Authenticate: %s\r\nProxy-Authenticate: %s\r\n", &weak, &c)
	r.recv("192.0.2.11", string(msg.AppendReply(nil, &m, &msg.Reply{Code: 407, Reason: "x", Tag: []byte("t"), Fields: []byte(fields)})))
	if err := m.Parse(r.sent[len(r.sent)-1], msg.DefaultLimits()); err != nil || !m.IsRequest() {
		t.Fatalf("%v\n%s\n%s", err, r.sent[len(r.sent)-1], &r.out)
	}
	got, err := digest.Find(&m, "trunk", true)
	if err != nil || got.Nonce != "n1" || !got.Match(&digest.Secret{Password: "pass"}, "INVITE", nil) {
		t.Errorf("%+v, %v", got, err)
	}
	r.answer("192.0.2.11", 200)
	r.want("192.0.2.1", "SIP/2.0 200 OK\r\n")
	r.errors()
}

// TestSIPDigestInfo: the answer proves to the client that the server knows the password, and
// gives a nonce that is good for the next request.
func TestSIPDigestInfo(t *testing.T) {
	t.Parallel()
	r := newSIPRules(t, `rule "auth" { on = sip.request_in, run = function(tx, m)
  local proxy = m.method ~= "REGISTER"
  local secret = digest.ha1("alice", "example.com", "secret", "SHA-256")
  local who = { message = m, realm = "example.com", ha1 = secret, proxy = proxy, body = "said", next = true }
  local headers, why = digest.info(who)
  if not headers then return sip.reply(proxy and 407 or 401, why, digest.challenge { realm = "example.com", proxy = proxy, qop = "auth-int" }) end
  assert(digest.check { message = m, realm = "example.com", ha1 = secret, proxy = proxy })
  return sip.reply(200, nil, headers)
end }
`)
	n := 0
	for _, row := range []struct {
		method, field, info string
		asks                msg.Name
	}{
		{"REGISTER", "Authorization", "Authentication-Info", msg.WWWAuthenticate},
		{"MESSAGE", "Proxy-Authorization", "Proxy-Authentication-Info", msg.ProxyAuthenticate},
	} {
		n++
		r.signed(n, row.method, "", "")
		c := r.challenges(row.asks)[0]
		wrong, err := c.Answer("alice", &digest.Secret{Password: "other"}, row.method, "sip:192.0.2.100", nil)
		if err != nil {
			t.Fatal(err)
		}
		n++
		if got := r.signed(n, row.method, row.field, wrong); !strings.HasSuffix(got, " wrong") || strings.Contains(string(r.sent[len(r.sent)-1]), "Info: ") {
			t.Errorf("%s\n%s", got, r.sent[len(r.sent)-1])
		}
		for range 2 {
			value, err := c.Answer("alice", &digest.Secret{Password: "secret"}, row.method, "sip:192.0.2.100", nil)
			if err != nil {
				t.Fatal(err)
			}
			own, err := digest.Parse([]byte(value))
			if err != nil {
				t.Fatal(err)
			}
			n++
			r.signed(n, row.method, row.field, value)
			var m msg.Message
			if err := m.Parse(r.sent[len(r.sent)-1], msg.DefaultLimits()); err != nil {
				t.Fatal(err)
			}
			i := m.Index(0, msg.NameOf([]byte(row.info)), row.info)
			if m.Status() != 200 || i < 0 {
				t.Fatalf("answered\n%s", m.Raw())
			}
			next, proof, _ := strings.Cut(string(m.Field(i).Value), ", ")
			want, err := own.Info(&digest.Secret{Password: "secret"}, row.method, nil, []byte("said"), "")
			if err != nil || proof != want || !strings.Contains(want, "qop=auth-int") {
				t.Errorf("it says %s, want %s, %v", proof, want, err)
			}
			nonce, ok := strings.CutPrefix(next, "nextnonce=")
			if c.Nonce = strings.Trim(nonce, `"`); !ok || c.Nonce == own.Nonce {
				t.Errorf("the next nonce is %s", next)
			}
		}
	}
	r.errors()
}
