package loopev

import (
	"strconv"

	"github.com/hookd/hookd/engine/event"
)

// String says what the peer is sent before.
func (a *RejectArgs) String() string {
	var w event.Words
	w.Bytes("with", a.With)
	return w.String()
}

// String says for how long at most.
func (a *HoldArgs) String() string {
	var w event.Words
	w.Name(a.HasTime, "time", a.Time)
	return w.String()
}

// String says how many of what: "rate=100 burst=20".
func (a *LimitArgs) String() string {
	var w event.Words
	w.Name(true, "rate", a.Rate)
	w.Name(a.HasBurst, "burst", a.Burst)
	w.Name(a.Key != "", "key", a.Key)
	w.Name(a.HasExcess, "excess", a.Excess)
	return w.String()
}

// String says where to.
func (a *ProxyArgs) String() string {
	var w event.Words
	w.Say(a.URL)
	w.Name(a.HasConnect, "connect", a.Connect)
	return w.String()
}

// String is the certificate's name.
func (a *CertificateArgs) String() string { return a.Name }

// String says what the name stands for.
func (a *AnswerArgs) String() string {
	var w event.Words
	w.Plain(a.Records)
	w.Name(a.HasTTL, "ttl", a.TTL)
	return w.String()
}

// String is the server's address.
func (a *ForwardArgs) String() string { return a.Server }

// String says what is answered: `200 body="hello\n"`.
func (a *ReplyArgs) String() string {
	var w event.Words
	w.Say(strconv.Itoa(int(a.Status)))
	w.Bytes("body", a.Body)
	w.Plain(a.Headers)
	return w.String()
}

// String says which file.
func (a *FileArgs) String() string {
	var w event.Words
	w.Say(a.Root)
	w.Name(a.Path != "", "path", a.Path)
	w.Plain(a.Headers)
	return w.String()
}

// String says for which protocol.
func (a *UpgradeArgs) String() string {
	var w event.Words
	w.Say(a.Protocol)
	w.Plain(a.Headers)
	return w.String()
}
