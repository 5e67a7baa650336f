package flow

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"

	"github.com/hookd/hookd/stacks/flow/packet"
)

// communityID returns the Community ID of a connection, version 1 with seed 0
// (https://github.com/corelight/community-id-spec): the digest of both endpoints, the lower by
// address bytes and port first. aPort and bPort belong to k's lower and higher address; for ICMP
// they are message types.
func communityID(proto uint8, k *key, aPort, bPort uint16) string {
	a, _, version := k.endpoint(true)
	b, _, _ := k.endpoint(false)
	if c := bytes.Compare(a[:], b[:]); c > 0 || c == 0 && aPort > bPort {
		a, aPort, b, bPort = b, bPort, a, aPort
	}
	buf := make([]byte, 0, 2+16+16+2+4)
	buf = append(buf, 0, 0)
	buf = append(buf, wire(&a, version)...)
	buf = append(buf, wire(&b, version)...)
	buf = append(buf, proto, 0)
	buf = binary.BigEndian.AppendUint16(buf, aPort)
	buf = binary.BigEndian.AppendUint16(buf, bPort)
	sum := sha1.Sum(buf)
	return "1:" + base64.StdEncoding.EncodeToString(sum[:])
}

// wire returns the bytes that an address has on the wire.
func wire(a *packet.Addr, version uint8) []byte {
	if version == 4 {
		return a[:4]
	}
	return a[:]
}
