package dns

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Type is what a record says (RFC 1035 section 3.2.2).
type Type uint16

// Types with names here; of the others a record has its bytes.
const (
	A     Type = 1
	NS    Type = 2
	CNAME Type = 5
	SOA   Type = 6
	PTR   Type = 12
	MX    Type = 15
	TXT   Type = 16
	AAAA  Type = 28
	SRV   Type = 33
	NAPTR Type = 35
	OPT   Type = 41
	SVCB  Type = 64
	HTTPS Type = 65
	ANY   Type = 255
)

var typeNames = map[Type]string{
	A: "A", NS: "NS", CNAME: "CNAME", SOA: "SOA", PTR: "PTR", MX: "MX", TXT: "TXT", AAAA: "AAAA", SRV: "SRV",
	NAPTR: "NAPTR", OPT: "OPT", SVCB: "SVCB", HTTPS: "HTTPS", ANY: "ANY",
}

// String returns the name in capitals, or "TYPE123" (RFC 3597).
func (t Type) String() string {
	if s, ok := typeNames[t]; ok {
		return s
	}
	return "TYPE" + strconv.Itoa(int(t))
}

// ParseType returns the type of that name, in any case.
func ParseType(s string) (Type, bool) {
	s = strings.ToUpper(s)
	for t, name := range typeNames {
		if name == s {
			return t, true
		}
	}
	if rest, ok := strings.CutPrefix(s, "TYPE"); ok {
		n, err := strconv.ParseUint(rest, 10, 16)
		return Type(n), err == nil
	}
	return 0, false
}

// RCode is how a question was answered (RFC 1035 section 4.1.1).
type RCode uint16

// The codes that matter here.
const (
	Success        RCode = 0
	FormatError    RCode = 1
	ServerFailure  RCode = 2
	NameError      RCode = 3 // no such name (NXDOMAIN)
	NotImplemented RCode = 4
	Refused        RCode = 5
)

// String returns the name that dig prints.
func (c RCode) String() string {
	names := [...]string{"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"}
	if int(c) < len(names) {
		return names[c]
	}
	return "RCODE" + strconv.Itoa(int(c))
}

// ClassIN is the class of everything that is asked for today.
const ClassIN uint16 = 1

// Question is what is asked. Names have no dot at the end, but for the root, which
// is ".".
type Question struct {
	Name  string
	Type  Type
	Class uint16
}

// Record is a resource record. Which fields it has follows from its type.
type Record struct {
	Name  string
	Type  Type
	Class uint16
	// TTL is for how many seconds it may be remembered.
	TTL uint32

	// Addr is that of A and AAAA.
	Addr netip.Addr
	// Target is the name that CNAME, NS, PTR, MX and SRV lead to, the replacement of
	// NAPTR, and the primary server of SOA.
	Target string
	// Priority is that of SRV, the preference of MX, and the order of NAPTR.
	Priority uint16
	// Weight is that of SRV, and the preference of NAPTR.
	Weight uint16
	// Port is that of SRV.
	Port uint16
	// Text are the strings of TXT; of NAPTR the flags, the services and the expression.
	Text []string
	// Minimum is for how many seconds it may be remembered that there is nothing (SOA,
	// RFC 2308); Serial, Refresh, Retry and Expire are its others, and Mailbox is.
	Minimum, Serial, Refresh, Retry, Expire uint32
	Mailbox                                 string
	// Data is that of all other types.
	Data []byte
}

// String returns it about as zone files have it (RFC 1035 section 5.1).
func (r Record) String() string {
	return fmt.Sprintf("%s %d %s %s", r.Name, r.TTL, r.Type, r.Value())
}

// Value returns what the record says, as text.
func (r Record) Value() string {
	switch r.Type {
	case A, AAAA:
		return r.Addr.String()
	case CNAME, NS, PTR:
		return r.Target
	case MX:
		return fmt.Sprintf("%d %s", r.Priority, r.Target)
	case SRV:
		return fmt.Sprintf("%d %d %d %s", r.Priority, r.Weight, r.Port, r.Target)
	case TXT:
		return strings.Join(r.Text, "")
	case NAPTR:
		t := [3]string{}
		copy(t[:], r.Text)
		return fmt.Sprintf("%d %d %q %q %q %s", r.Priority, r.Weight, t[0], t[1], t[2], r.Target)
	case SOA:
		return fmt.Sprintf("%s %s %d %d %d %d %d", r.Target, r.Mailbox, r.Serial, r.Refresh, r.Retry, r.Expire, r.Minimum)
	}
	return fmt.Sprintf("\\# %d %x", len(r.Data), r.Data)
}

// EDNS is what a message says about itself beyond RFC 1035 (RFC 6891).
type EDNS struct {
	// Size is how long a datagram its sender takes.
	Size uint16
	// DO asks for signatures (RFC 3225).
	DO bool
	// Version is 0; another is answered with BADVERS.
	Version uint8
}

// Message is a question, or an answer.
type Message struct {
	ID                 uint16
	Response           bool
	Opcode             uint8
	Authoritative      bool
	Truncated          bool
	RecursionDesired   bool
	RecursionAvailable bool
	Authentic          bool // AD
	CheckingDisabled   bool // CD
	RCode              RCode

	Questions  []Question
	Answers    []Record
	Authority  []Record
	Additional []Record // without OPT
	EDNS       *EDNS    // nil if it has no OPT
}
