package location

import (
	"cmp"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/hookd/hookd/stacks/sip/msg"
)

// A GRUU is a URI that leads to one instance of a user agent, from anywhere (RFC 5627). The
// public one is the address of record with the instance in its parameter gr. A temporary one
// tells neither: its user is a sealed number, which stands for a contact for as long as the
// client that made it keeps it registered.
const tempPrefix = "tgruu."

// gruuOf returns what the instance of a contact has in gr; false where it has none that can
// be part of a URI.
func (c *Contact) gruuOf() (id string, ok bool) {
	id = strings.TrimSuffix(strings.TrimPrefix(c.Instance, `"<`), `>"`)
	return id, len(id) == len(c.Instance)-4 && id != "" && !strings.ContainsAny(id, `"\<>`)
}

// splitAOR divides an address of record; one of a host alone, or of a number, has no user.
func splitAOR(aor string) (user, host string) {
	if at := strings.LastIndexByte(aor, '@'); at >= 0 {
		return aor[:at], aor[at+1:]
	}
	return "", aor
}

// seals makes temporary URIs. What they hold is one block: the contact's number, a number
// that makes each differ from the last, and zeros that no stranger hits.
type seals struct{ block cipher.Block }

func newSeals() seals {
	var key [16]byte
	_, _ = rand.Read(key[:]) // never fails, says its package
	return sealsOf(key)
}

func sealsOf(key [16]byte) seals {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic("location: " + err.Error()) // the key has the right length
	}
	return seals{block}
}

func (s seals) make(contact uint64, serial uint32) string {
	var b [aes.BlockSize]byte
	binary.BigEndian.PutUint64(b[:], contact)
	binary.BigEndian.PutUint32(b[8:], serial)
	s.block.Encrypt(b[:], b[:])
	return tempPrefix + hex.EncodeToString(b[:])
}

func (s seals) read(user string) (contact uint64, ok bool) {
	text, ours := strings.CutPrefix(user, tempPrefix)
	b, err := hex.DecodeString(text)
	if !ours || err != nil || len(b) != aes.BlockSize {
		return 0, false
	}
	s.block.Decrypt(b, b)
	return binary.BigEndian.Uint64(b), binary.BigEndian.Uint32(b[12:]) == 0
}

// gruus writes the URIs of a contact's instance as parameters of Contact (RFC 5627, 5.3).
func (t *Table) gruus(c *Contact, scheme string) string {
	id, ok := c.gruuOf()
	user, host := splitAOR(c.AOR)
	if !ok || user == "" {
		return ""
	}
	user = string(msg.EscapeUser([]byte(strings.ReplaceAll(user, "%", "%25"))))
	out := fmt.Sprintf(`;pub-gruu="%s:%s@%s;gr=%s"`, scheme, user, host, msg.EscapeParam([]byte(id)))
	if c.temp != 0 {
		t.sealed++
		out += fmt.Sprintf(`;temp-gruu="%s:%s@%s;gr"`, scheme, t.seals.make(c.temp, t.sealed), host)
	}
	return out
}

// Instance returns the contacts of the instance that a GRUU leads to, the latest first: all
// flows that it has, else the contact that it registered last (RFC 5627, 6.1). is says whether
// the URI is a GRUU; there need be no contact. They are lent.
func (t *Table) Instance(uri []byte, now int64) (list []*Contact, is bool) {
	u, err := msg.ParseURI(uri)
	if err != nil {
		return nil, false
	}
	value, is := u.Param("gr")
	if !is {
		return nil, false
	}
	aor, id := "", string(msg.Unescape(nil, value))
	if id != "" {
		aor, err = AOR(uri)
	} else if c := t.temporary(&u); c != nil {
		aor = c.AOR
		id, _ = c.gruuOf()
	}
	if err != nil || id == "" {
		return nil, true
	}
	for _, c := range t.Contacts(aor, now) {
		if own, ok := c.gruuOf(); ok && own == id {
			list = append(list, c)
		}
	}
	slices.SortFunc(list, func(a, b *Contact) int { return cmp.Compare(b.serial, a.serial) })
	if len(list) > 1 {
		flows := list[0].RegID != 0
		list = slices.DeleteFunc(list, func(c *Contact) bool { return c != list[0] && !(flows && c.RegID != 0) })
	}
	return list, true
}

// temporary returns the contact that a temporary GRUU was made for, nil where it is gone.
func (t *Table) temporary(u *msg.URI) *Contact {
	n, ok := t.seals.read(string(u.User))
	c := t.temps[n]
	if !ok || c == nil {
		return nil
	}
	if _, host := splitAOR(c.AOR); !strings.EqualFold(host, string(u.Host)) {
		return nil
	}
	return c
}
