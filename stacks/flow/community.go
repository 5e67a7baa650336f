package flow

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"

	"github.com/hookd/hookd/stacks/flow/packet"
)

// communityIDLen is how long a Community ID is.
const communityIDLen = len("1:") + (sha1.Size+2)/3*4

// communityID returns what appendCommunityID appends.
func communityID(proto uint8, k *key, aPort, bPort uint16) string {
	return string(appendCommunityID(make([]byte, 0, communityIDLen), proto, k, aPort, bPort))
}

// appendCommunityID appends the Community ID of a connection, version 1 with seed 0
// (https://github.com/corelight/community-id-spec): the digest of both endpoints, the lower by
// address bytes and port first. aPort and bPort belong to k's lower and higher address; for ICMP
// they are message types.
func appendCommunityID(dst []byte, proto uint8, k *key, aPort, bPort uint16) []byte {
	a, _, version := k.endpoint(true)
	b, _, _ := k.endpoint(false)
	if c := bytes.Compare(a[:], b[:]); c > 0 || c == 0 && aPort > bPort {
		a, aPort, b, bPort = b, bPort, a, aPort
	}
	var room [2 + 16 + 16 + 2 + 4]byte
	buf := append(room[:0], 0, 0)
	buf = append(buf, wire(&a, version)...)
	buf = append(buf, wire(&b, version)...)
	buf = append(buf, proto, 0)
	buf = binary.BigEndian.AppendUint16(buf, aPort)
	buf = binary.BigEndian.AppendUint16(buf, bPort)
	sum := sha1.Sum(buf)
	return base64.StdEncoding.AppendEncode(append(dst, "1:"...), sum[:])
}

// wire returns the bytes that an address has on the wire.
func wire(a *packet.Addr, version uint8) []byte {
	if version == 4 {
		return a[:4]
	}
	return a[:]
}
