package services

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/plain"
	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/stacks/sip"
	"github.com/hookd/hookd/stacks/sip/digest"
	"github.com/hookd/hookd/stacks/sip/msg"
)

// indexOf returns the index that a script's message is.
func indexOf(m sipev.Message) *msg.Message { return &m.(*sip.Message).Message }

// DigestUser implements [sipev.Functions].
func (s *Desk) DigestUser(_ *event.Caller, m sipev.Message, realm string, proxy bool) (string, bool) {
	c, err := digest.Find(indexOf(m), realm, proxy)
	if errors.Is(err, digest.ErrAbsent) {
		return "", false
	}
	return c.User, c.User != ""
}

// DigestCheck implements [sipev.Functions].
func (s *Desk) DigestCheck(by *event.Caller, m sipev.Message, realm, password string, ha1 any, proxy, sameURI bool) (string, error) {
	secret, err := readSecret(password, ha1)
	if err != nil {
		return "", err
	}
	index := indexOf(m)
	c, err := digest.Find(index, realm, proxy)
	if err != nil {
		return "", err
	}
	if sameURI && !msg.EqualURI([]byte(c.URI), index.RequestURI()) {
		return "", digest.ErrMalformed
	}
	right := c.Match(secret, string(index.MethodText()), index.Body())
	s.mu.Lock()
	defer s.mu.Unlock()
	// Nobody has an empty password: it stands for a user that is not known.
	if !right || secret.Password == "" && len(secret.HA1) == 0 {
		s.stats.AuthWrong++
		return "", digest.ErrWrong
	}
	if err := s.nonces.Use(c, by.Shard.Now(), !onlyTries(by)); err != nil {
		return "", err
	}
	s.stats.AuthRight++
	return c.User, nil
}

// onlyTries reports whether what a call does is not to last.
func onlyTries(by *event.Caller) bool { return by.Observe || by.Shadow != 0 }

// readSecret reads a password, or HA1 values as scripts have them.
func readSecret(password string, ha1 any) (*digest.Secret, error) {
	s := &digest.Secret{Password: password}
	var list []event.KV
	switch v := ha1.(type) {
	case nil:
		return s, nil
	case string:
		name := digest.MD5
		if len(v) == 64 {
			name = digest.SHA256
		}
		list = []event.KV{{Key: name.String(), Value: v}}
	case []event.KV:
		list = v
	default:
		return nil, errors.New("ha1: a text, or a table of texts by algorithm expected")
	}
	s.HA1 = map[digest.Algorithm]string{}
	for _, kv := range list {
		a, known := digest.ParseAlgorithm(kv.Key)
		var text string
		if err := plain.SetString(&text, kv.Value); err != nil || !known {
			return nil, fmt.Errorf("ha1: %q: a known algorithm and a text expected", kv.Key)
		}
		if len(text) != 32 && len(text) != 64 { // an empty one would let everybody in
			return nil, fmt.Errorf("ha1: %q: 32 or 64 hexadecimal digits expected", kv.Key)
		}
		s.HA1[a.Plain()] = text
	}
	return s, nil
}

// DigestChallenge implements [sipev.Functions].
func (s *Desk) DigestChallenge(by *event.Caller, realm string, proxy, stale bool, algorithms []string, qop string) (any, string, bool) {
	if qop == "" {
		qop = "auth"
	}
	for word := range strings.SplitSeq(qop, ",") {
		if word != "auth" && word != "auth-int" {
			return nil, fmt.Sprintf("digest.challenge: qop %q: auth, auth-int or both expected", qop), true
		}
	}
	if algorithms == nil {
		algorithms = []string{digest.SHA256.String(), digest.MD5.String()}
	}
	name := msg.WWWAuthenticate
	if proxy {
		name = msg.ProxyAuthenticate
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	values := make([]any, 0, len(algorithms))
	for _, word := range algorithms {
		a, known := digest.ParseAlgorithm(word)
		if !known {
			return nil, fmt.Sprintf("digest.challenge: algorithm %q is not known", word), true
		}
		c := digest.Challenge{Realm: realm, Nonce: s.nonces.Make(realm, by.Shard.Now()), Algorithm: a, QOP: qop, Stale: stale}
		values = append(values, c.String())
	}
	return []event.KV{{Key: name.String(), Value: values}}, "", false
}

// DigestInfo implements [sipev.Functions].
func (s *Desk) DigestInfo(by *event.Caller, m sipev.Message, realm, password string, ha1 any, proxy bool, body []byte, next bool) (any, string, bool) {
	secret, err := readSecret(password, ha1)
	if err != nil {
		return nil, "digest.info: " + err.Error(), true
	}
	index := indexOf(m)
	c, err := digest.Find(index, realm, proxy)
	if err != nil {
		return nil, err.Error(), true
	}
	nonce := ""
	if next {
		s.mu.Lock()
		nonce = s.nonces.Make(realm, by.Shard.Now())
		s.mu.Unlock()
	}
	value, err := c.Info(secret, string(index.MethodText()), index.Body(), body, nonce)
	if err != nil {
		return nil, err.Error(), true
	}
	name := msg.AuthenticationInfo.String()
	if proxy {
		name = "Proxy-Authentication-Info"
	}
	return []event.KV{{Key: name, Value: value}}, "", false
}

// DigestHa1 implements [sipev.Functions].
func (s *Desk) DigestHa1(_ *event.Caller, user, realm, password, algorithm string) (string, bool, string, bool) {
	a := digest.MD5
	if algorithm != "" {
		known := false
		if a, known = digest.ParseAlgorithm(algorithm); !known {
			return "", false, fmt.Sprintf("digest.ha1: algorithm %q is not known", algorithm), true
		}
	}
	return digest.HA1(a, user, realm, password), true, "", false
}

// DigestAnswer implements [sipev.Functions].
func (s *Desk) DigestAnswer(_ *event.Caller, m sipev.Message, user, password string, ha1 any, method, uri, realm string, body []byte) (any, string, bool) {
	secret, err := readSecret(password, ha1)
	if err != nil {
		return nil, "digest.answer: " + err.Error(), true
	}
	var fields []event.KV
	for _, pair := range [...][2]msg.Name{{msg.WWWAuthenticate, msg.Authorization}, {msg.ProxyAuthenticate, msg.ProxyAuthorization}} {
		var values []any
		for _, c := range digest.Strongest(indexOf(m), pair[0], realm) {
			if s.repeatable {
				c.CNonce = "repeatable"
			}
			if value, err := c.Answer(user, secret, method, uri, body); err == nil {
				values = append(values, value)
			}
		}
		switch len(values) {
		case 0:
		case 1:
			fields = append(fields, event.KV{Key: pair[1].String(), Value: values[0]})
		default:
			fields = append(fields, event.KV{Key: pair[1].String(), Value: values})
		}
	}
	if fields == nil {
		return nil, "digest.answer: " + digest.ErrChallenge.Error(), true
	}
	return fields, "", false
}
