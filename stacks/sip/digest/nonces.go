package digest

import (
	"container/list"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"
)

// Nonces makes nonces and knows those that were used. A nonce says when it was made and
// carries a code that only this process can make, so that one that nobody answers costs
// nothing; what is remembered begins with the first credentials that are right.
type Nonces struct {
	key   [32]byte
	life  time.Duration
	max   int
	last  uint32
	used  map[nonceID]*list.Element
	order list.List // of *nonceUse, first used first
	floor int64     // nonces made until then are used up: what they did was forgotten
	stats NonceStats
}

// NonceStats counts what became of nonces.
type NonceStats struct {
	Known    int    // nonces whose counts are remembered
	Stale    uint64 // right credentials with a nonce that was too old, or not ours
	Replayed uint64 // right credentials that had been used before
	Crowded  uint64 // nonces that were forgotten early since too many were in use
}

// nonceID tells nonces apart: when one was made, and how many were made before.
type nonceID struct {
	made   int64
	serial uint32
}

// nonceUse is what a nonce was used for so far.
type nonceUse struct {
	id     nonceID
	count  uint32 // highest nonce count
	before uint64 // bit i: count-1-i was used too
}

const (
	nonceMAC   = 16
	nonceBytes = 8 + 4 + nonceMAC
)

// NewNonces returns nonces that are good for life; use is remembered of max at once.
func NewNonces(life time.Duration, max int) *Nonces {
	n := &Nonces{life: life, max: max, used: map[nonceID]*list.Element{}}
	_, _ = rand.Read(n.key[:]) // never fails, says its package
	return n
}

// Repeat has nonces made as in every other process that says so: where they keep nobody out.
func (n *Nonces) Repeat() { clear(n.key[:]) }

// Make returns a nonce for a realm, at a time.
func (n *Nonces) Make(realm string, now int64) string {
	n.last++
	var b [nonceBytes]byte
	binary.BigEndian.PutUint64(b[:], uint64(now))
	binary.BigEndian.PutUint32(b[8:], n.last)
	n.seal(&b, realm)
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// seal writes the code.
func (n *Nonces) seal(b *[nonceBytes]byte, realm string) {
	h := hmac.New(sha256.New, n.key[:])
	h.Write(b[:nonceBytes-nonceMAC])
	h.Write([]byte(realm))
	copy(b[nonceBytes-nonceMAC:], h.Sum(nil))
}

// read returns what a nonce says of itself; false if it is none of ours.
func (n *Nonces) read(text, realm string) (id nonceID, ok bool) {
	var b [nonceBytes]byte
	if base64.RawURLEncoding.DecodedLen(len(text)) != nonceBytes {
		return nonceID{}, false
	}
	if _, err := base64.RawURLEncoding.Decode(b[:], []byte(text)); err != nil {
		return nonceID{}, false
	}
	was := b
	n.seal(&b, realm)
	id = nonceID{int64(binary.BigEndian.Uint64(b[:])), binary.BigEndian.Uint32(b[8:])}
	return id, hmac.Equal(was[:], b[:])
}

// Use takes a nonce and its count for credentials that are right. [ErrStale]: the client
// is to be given another one. keep false only asks.
func (n *Nonces) Use(c *Credentials, now int64, keep bool) error {
	id, ours := n.read(c.Nonce, c.Realm)
	if !ours || id.made > now || now-id.made > int64(n.life) || id.made <= n.floor {
		n.stats.Stale++
		return ErrStale
	}
	n.forget(now)
	e := n.used[id]
	if e == nil {
		if keep {
			n.remember(&nonceUse{id: id, count: c.Count})
		}
		return nil
	}
	if !e.Value.(*nonceUse).take(c.Count, keep) {
		n.stats.Replayed++
		return ErrStale
	}
	return nil
}

// take notes a count. Those of requests that overtook each other are taken within 64.
func (u *nonceUse) take(count uint32, keep bool) bool {
	switch {
	case count == u.count:
		return false
	case count > u.count:
		if step := count - u.count; keep {
			u.before, u.count = u.before<<step|1<<(step-1), count
		}
		return true
	}
	back := u.count - count - 1
	if back >= 64 || u.before>>back&1 != 0 {
		return false
	}
	if keep {
		u.before |= 1 << back
	}
	return true
}

// remember begins to count the uses of a nonce. Where there is no room, the oldest is
// forgotten, and with it all that were made until then are used up.
func (n *Nonces) remember(u *nonceUse) {
	if len(n.used) >= n.max {
		n.stats.Crowded++
		n.drop(n.order.Front())
	}
	n.used[u.id] = n.order.PushBack(u)
}

// forget drops what cannot be used any more.
func (n *Nonces) forget(now int64) {
	for e := n.order.Front(); e != nil && now-e.Value.(*nonceUse).id.made > int64(n.life); e = n.order.Front() {
		n.drop(e)
	}
}

func (n *Nonces) drop(e *list.Element) {
	u := e.Value.(*nonceUse)
	n.floor = max(n.floor, u.id.made)
	delete(n.used, u.id)
	n.order.Remove(e)
}

// Stats returns what was counted so far.
func (n *Nonces) Stats() NonceStats {
	n.stats.Known = len(n.used)
	return n.stats
}
