package services

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/stacks/sip"
	"github.com/hookd/hookd/stacks/sip/digest"
	"github.com/hookd/hookd/stacks/sip/msg"
)

// asked returns the challenge of a realm that the desk makes.
func (b *bench) asked(realm string) *digest.Challenge {
	b.t.Helper()
	headers, why, wrong := b.desk.DigestChallenge(b.by(), realm, false, false, nil, "")
	if wrong {
		b.t.Fatal(why)
	}
	values := field(headers, "WWW-Authenticate").([]any)
	c, err := digest.ParseChallenge([]byte(values[0].(string)))
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

// signed returns a header field with credentials.
func signed(t *testing.T, c *digest.Challenge, user, password, uri string) string {
	t.Helper()
	value, err := c.Answer(user, &digest.Secret{Password: password}, "REGISTER", uri, nil)
	if err != nil {
		t.Fatal(err)
	}
	return "Authorization: " + value
}

func TestDigestCheck(t *testing.T) {
	t.Parallel()
	const realm, own = "example.com", "sip:bob@192.0.2.100"
	b := newBench(t, Config{})
	plainHA1 := digest.HA1(digest.SHA256, "alice", realm, "secret")
	for _, row := range []struct {
		name, line, password string
		ha1                  any
		proxy, sameURI       bool
		want                 string // the error; empty: it is alice
	}{
		{"right", signed(t, b.asked(realm), "alice", "secret", own), "secret", nil, false, true, ""},
		{"by its hash", signed(t, b.asked(realm), "alice", "secret", own), "", plainHA1, false, false, ""},
		{"by a table", signed(t, b.asked(realm), "alice", "secret", own), "", []event.KV{{Key: "SHA-256", Value: plainHA1}, {Key: "MD5", Value: strings.Repeat("0", 32)}}, false, false, ""},
		{"of another URI", signed(t, b.asked(realm), "alice", "secret", "sip:192.0.2.100"), "secret", nil, false, false, ""},
		{"of another URI, which counts", signed(t, b.asked(realm), "alice", "secret", "sip:192.0.2.100"), "secret", nil, false, true, "malformed"},
		{"another password", signed(t, b.asked(realm), "alice", "other", own), "secret", nil, false, false, "wrong"},
		{"no password is none", signed(t, b.asked(realm), "alice", "", own), "", nil, false, false, "wrong"},
		{"a hash of another kind", signed(t, b.asked(realm), "alice", "secret", own), "", strings.Repeat("0", 32), false, false, "wrong"},
		{"another realm", signed(t, b.asked("example.org"), "alice", "secret", own), "secret", nil, false, false, "absent"},
		{"in another field", signed(t, b.asked(realm), "alice", "secret", own), "secret", nil, true, false, "absent"},
		{"none", "Subject: x", "secret", nil, false, false, "absent"},
		{"half of them", `Authorization: Digest username="alice", realm="example.com"`, "secret", nil, false, false, "malformed"},
		{"a nonce of others", signed(t, &digest.Challenge{Realm: realm, Nonce: "made-up", QOP: "auth"}, "alice", "secret", own), "secret", nil, false, false, "stale"},
		{"an empty hash", signed(t, b.asked(realm), "alice", "", own), "", "", false, false, "32 or 64 hexadecimal digits"},
		{"a hash that is none", "Subject: x", "", 7.0, false, false, "a text, or a table"},
		{"a hash of no algorithm", "Subject: x", "", []event.KV{{Key: "SHA-1", Value: strings.Repeat("0", 32)}}, false, false, "a known algorithm and a text"},
		{"a hash that is no text", "Subject: x", "", []event.KV{{Key: "MD5", Value: 1.0}}, false, false, "a known algorithm and a text"},
	} {
		b.look("REGISTER", func(_ *sip.Tx, m *sip.Message) {
			// What only tries uses no nonce up.
			for _, by := range []*event.Caller{b.trying(), b.by()} {
				user, err := b.desk.DigestCheck(by, m, realm, row.password, row.ha1, row.proxy, row.sameURI)
				if row.want == "" && (err != nil || user != "alice") {
					t.Errorf("%s: %q, %v", row.name, user, err)
				} else if row.want != "" {
					fails(t, row.name, err, row.want)
				}
			}
			if row.want == "" {
				_, err := b.desk.DigestCheck(b.by(), m, realm, row.password, row.ha1, row.proxy, row.sameURI)
				fails(t, row.name+", again", err, "stale")
			}
			user, ok := b.desk.DigestUser(b.by(), m, realm, row.proxy)
			if has := strings.Contains(row.line, `username="alice", realm="example.com"`) && !row.proxy; ok != has || has && user != "alice" {
				t.Errorf("%s: it claims to be %q, %v", row.name, user, ok)
			}
		}, row.line)
	}
	if s := b.desk.Stats(); s.AuthRight != 8 || s.AuthWrong != 6 || s.NoncesReplayed != 4 || s.NoncesStale != 2 || s.NoncesKnown != 4 {
		t.Errorf("counted %+v", s)
	}
}

// TestNoncesEnd: a nonce is good for its life and no longer.
func TestNoncesEnd(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{NonceLife: 10 * time.Second})
	for age, want := range map[time.Duration]error{9 * time.Second: nil, 11 * time.Second: digest.ErrStale} {
		line := signed(t, b.asked("r"), "alice", "p", "sip:x")
		b.after(age)
		b.look("REGISTER", func(_ *sip.Tx, m *sip.Message) {
			if _, err := b.desk.DigestCheck(b.by(), m, "r", "p", nil, false, false); !errors.Is(err, want) {
				t.Errorf("after %s: %v, want %v", age, err, want)
			}
		}, line)
	}
}

func TestDigestChallenge(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{})
	for _, row := range []struct {
		name       string
		proxy      bool
		stale      bool
		algorithms []string
		qop        string
		field      string
		want       []string // the beginning and the end of each value, or the error
	}{
		{"as it is", false, false, nil, "", "WWW-Authenticate", []string{"algorithm=SHA-256, qop=\"auth\"", "algorithm=MD5, qop=\"auth\""}},
		{"of a proxy", true, true, []string{"md5"}, "auth,auth-int", "Proxy-Authenticate", []string{"algorithm=MD5, qop=\"auth,auth-int\", stale=true"}},
		{"no qop", false, false, nil, "none", "", []string{`digest.challenge: qop "none": auth, auth-int or both expected`}},
		{"no algorithm", false, false, []string{"MD5", "MD4"}, "", "", []string{`digest.challenge: algorithm "MD4" is not known`}},
	} {
		headers, why, wrong := b.desk.DigestChallenge(b.by(), "r", row.proxy, row.stale, row.algorithms, row.qop)
		if wrong {
			if headers != nil || row.field != "" || why != row.want[0] {
				t.Errorf("%s: %v, %s", row.name, headers, why)
			}
			continue
		}
		values, _ := field(headers, row.field).([]any)
		if len(values) != len(row.want) {
			t.Errorf("%s: %v", row.name, headers)
			continue
		}
		for i, v := range values {
			if text := v.(string); !strings.HasPrefix(text, `Digest realm="r", nonce="`) || !strings.HasSuffix(text, row.want[i]) {
				t.Errorf("%s: %s", row.name, text)
			}
		}
	}
}

// TestDigestAnswer: each realm's strongest challenge is met, of servers and of proxies.
func TestDigestAnswer(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{})
	ask := func(name, realm, algorithm, qop string) string {
		a, _ := digest.ParseAlgorithm(algorithm)
		c := digest.Challenge{Realm: realm, Nonce: "n", Algorithm: a, QOP: qop}
		return name + ": " + c.String()
	}
	for _, row := range []struct {
		name, realm string
		lines       []string
		want        map[string]int // how many values each field has
		why         string
	}{
		{"one", "", []string{ask("WWW-Authenticate", "a", "MD5", "auth")}, map[string]int{"Authorization": 1}, ""},
		{"the strongest of a realm", "", []string{ask("WWW-Authenticate", "a", "MD5", "auth"), ask("WWW-Authenticate", "a", "SHA-256", "auth")}, map[string]int{"Authorization": 1}, ""},
		{"two realms and a proxy", "", []string{ask("WWW-Authenticate", "a", "MD5", "auth"), ask("WWW-Authenticate", "b", "MD5", "auth-int"), ask("Proxy-Authenticate", "c", "MD5", "auth")}, map[string]int{"Authorization": 2, "Proxy-Authorization": 1}, ""},
		{"one realm only", "b", []string{ask("WWW-Authenticate", "a", "MD5", "auth"), ask("WWW-Authenticate", "b", "MD5", "auth")}, map[string]int{"Authorization": 1}, ""},
		{"none", "", nil, nil, "no challenge"},
		{"of no realm that is known", "c", []string{ask("WWW-Authenticate", "a", "MD5", "auth")}, nil, "no challenge"},
		{"of another scheme", "", []string{"WWW-Authenticate: Basic realm=\"a\""}, nil, "no challenge"},
	} {
		b.look("OPTIONS", func(_ *sip.Tx, m *sip.Message) {
			headers, why, wrong := b.desk.DigestAnswer(b.by(), m, "alice", "p", nil, "INVITE", "sip:x", row.realm, nil)
			if row.why != "" {
				if !wrong || headers != nil || !strings.Contains(why, row.why) {
					t.Errorf("%s: %v, %s", row.name, headers, why)
				}
				return
			}
			got := map[string]int{}
			for _, kv := range headers.([]event.KV) {
				values, several := kv.Value.([]any)
				if !several {
					values = []any{kv.Value}
				}
				for _, v := range values {
					c, err := digest.Parse([]byte(v.(string)))
					if err != nil || !c.Match(&digest.Secret{Password: "p"}, "INVITE", nil) || row.realm != "" && c.Realm != row.realm {
						t.Errorf("%s: %s, %v", row.name, v, err)
					}
				}
				got[kv.Key] = len(values)
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("%s: %s", row.name, diff)
			}
		}, row.lines...)
	}
	b.look("OPTIONS", func(_ *sip.Tx, m *sip.Message) {
		if _, why, wrong := b.desk.DigestAnswer(b.by(), m, "alice", "", "short", "INVITE", "sip:x", "", nil); !wrong || !strings.HasPrefix(why, "digest.answer: ha1") {
			t.Errorf("a hash that is none: %s", why)
		}
	})
}

// TestDigestInfo: what proves the server is made for right credentials, and for no others.
func TestDigestInfo(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{})
	for _, row := range []struct {
		name, line, password string
		ha1                  any
		proxy, next          bool
		want                 string // a part of the value, or the error
		right                bool
	}{
		{"right", signed(t, b.asked("r"), "alice", "p", "sip:x"), "p", nil, false, false, "qop=auth, rspauth=", true},
		{"with another nonce", signed(t, b.asked("r"), "alice", "p", "sip:x"), "p", nil, false, true, "nextnonce=", true},
		{"of a proxy", "Proxy-" + signed(t, b.asked("r"), "alice", "p", "sip:x"), "p", nil, true, false, "qop=auth, rspauth=", true},
		{"wrong", signed(t, b.asked("r"), "alice", "p", "sip:x"), "other", nil, false, false, "wrong", false},
		{"none", "Subject: x", "p", nil, false, false, "absent", false},
		{"a hash that is none", "Subject: x", "", true, false, false, "digest.info: ha1: ", false},
	} {
		b.look("REGISTER", func(_ *sip.Tx, m *sip.Message) {
			headers, why, wrong := b.desk.DigestInfo(b.by(), m, "r", row.password, row.ha1, row.proxy, nil, row.next)
			if !row.right {
				if !wrong || headers != nil || !strings.HasPrefix(why, row.want) {
					t.Errorf("%s: %v, %s", row.name, headers, why)
				}
				return
			}
			name := msg.AuthenticationInfo.String()
			if row.proxy {
				name = "Proxy-" + name
			}
			if text, _ := field(headers, name).(string); wrong || !strings.HasPrefix(text, row.want) {
				t.Errorf("%s: %v, %s", row.name, headers, why)
			}
		}, row.line)
	}
}

func TestDigestHA1(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{})
	const md5 = "d4a63a101e354e55bf7a07703420a12d"
	for algorithm, want := range map[string]string{"": md5, "md5": md5, "SHA-256": "a0dfd395a98c500331d680278ead8c6d93ee8a8ecbd92baeb0e54e0c2d079ebf"} {
		if got, ok, why, wrong := b.desk.DigestHa1(b.by(), "alice", "r", "p", algorithm); wrong || !ok || got != want {
			t.Errorf("%s: %s, %s", algorithm, got, why)
		}
	}
	if got, ok, why, wrong := b.desk.DigestHa1(b.by(), "alice", "r", "p", "crc32"); !wrong || ok || got != "" || !strings.Contains(why, `"crc32" is not known`) {
		t.Errorf("%s, %s", got, why)
	}
}
