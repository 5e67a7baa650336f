package msg

// Name numbers the header fields that have a meaning here or to scripts; all others
// are OtherName and found by their text.
type Name uint8

// The names of header fields.
const (
	OtherName Name = iota
	Accept
	AcceptContact
	AcceptEncoding
	AcceptLanguage
	Allow
	AllowEvents
	AuthenticationInfo
	Authorization
	CallID
	Contact
	ContentDisposition
	ContentEncoding
	ContentLanguage
	ContentLength
	ContentType
	CSeqName
	Date
	Diversion
	Event
	Expires
	From
	HistoryInfo
	Identity
	InReplyTo
	MaxBreadth
	MaxForwards
	MIMEVersion
	MinExpires
	MinSE
	Organization
	PAccessNetworkInfo
	PAssertedIdentity
	PPreferredIdentity
	Path
	Priority
	Privacy
	ProxyAuthenticate
	ProxyAuthorization
	ProxyRequire
	RAck
	Reason
	RecordRoute
	ReferTo
	ReferredBy
	RejectContact
	Replaces
	RequestDisposition
	Require
	RetryAfter
	Route
	RSeq
	Server
	ServiceRoute
	SessionExpires
	SIPETag
	SIPIfMatch
	Subject
	SubscriptionState
	Supported
	Timestamp
	To
	Unsupported
	UserAgent
	ViaName
	Warning
	WWWAuthenticate
	nameCount
)

// nameRow is what is known of a header field.
type nameRow struct {
	text    string
	compact byte // one-letter form, 0 for none
	list    bool // several values may stand in one line, between commas
}

var names = [nameCount]nameRow{
	Accept:             {"Accept", 0, true},
	AcceptContact:      {"Accept-Contact", 'a', true},
	AcceptEncoding:     {"Accept-Encoding", 0, true},
	AcceptLanguage:     {"Accept-Language", 0, true},
	Allow:              {"Allow", 0, true},
	AllowEvents:        {"Allow-Events", 'u', true},
	AuthenticationInfo: {"Authentication-Info", 0, false},
	Authorization:      {"Authorization", 0, false},
	CallID:             {"Call-ID", 'i', false},
	Contact:            {"Contact", 'm', true},
	ContentDisposition: {"Content-Disposition", 0, false},
	ContentEncoding:    {"Content-Encoding", 'e', true},
	ContentLanguage:    {"Content-Language", 0, true},
	ContentLength:      {"Content-Length", 'l', false},
	ContentType:        {"Content-Type", 'c', false},
	CSeqName:           {"CSeq", 0, false},
	Date:               {"Date", 0, false},
	Diversion:          {"Diversion", 0, true},
	Event:              {"Event", 'o', false},
	Expires:            {"Expires", 0, false},
	From:               {"From", 'f', false},
	HistoryInfo:        {"History-Info", 0, true},
	Identity:           {"Identity", 'y', true},
	InReplyTo:          {"In-Reply-To", 0, true},
	MaxBreadth:         {"Max-Breadth", 0, false},
	MaxForwards:        {"Max-Forwards", 0, false},
	MIMEVersion:        {"MIME-Version", 0, false},
	MinExpires:         {"Min-Expires", 0, false},
	MinSE:              {"Min-SE", 0, false},
	Organization:       {"Organization", 0, false},
	PAccessNetworkInfo: {"P-Access-Network-Info", 0, true},
	PAssertedIdentity:  {"P-Asserted-Identity", 0, true},
	PPreferredIdentity: {"P-Preferred-Identity", 0, true},
	Path:               {"Path", 0, true},
	Priority:           {"Priority", 0, false},
	Privacy:            {"Privacy", 0, false},
	ProxyAuthenticate:  {"Proxy-Authenticate", 0, false},
	ProxyAuthorization: {"Proxy-Authorization", 0, false},
	ProxyRequire:       {"Proxy-Require", 0, true},
	RAck:               {"RAck", 0, false},
	Reason:             {"Reason", 0, true},
	RecordRoute:        {"Record-Route", 0, true},
	ReferTo:            {"Refer-To", 'r', false},
	ReferredBy:         {"Referred-By", 'b', false},
	RejectContact:      {"Reject-Contact", 'j', true},
	Replaces:           {"Replaces", 0, false},
	RequestDisposition: {"Request-Disposition", 'd', true},
	Require:            {"Require", 0, true},
	RetryAfter:         {"Retry-After", 0, false},
	Route:              {"Route", 0, true},
	RSeq:               {"RSeq", 0, false},
	Server:             {"Server", 0, false},
	ServiceRoute:       {"Service-Route", 0, true},
	SessionExpires:     {"Session-Expires", 'x', false},
	SIPETag:            {"SIP-ETag", 0, false},
	SIPIfMatch:         {"SIP-If-Match", 0, false},
	Subject:            {"Subject", 's', false},
	SubscriptionState:  {"Subscription-State", 0, false},
	Supported:          {"Supported", 'k', true},
	Timestamp:          {"Timestamp", 0, false},
	To:                 {"To", 't', false},
	Unsupported:        {"Unsupported", 0, true},
	UserAgent:          {"User-Agent", 0, false},
	ViaName:            {"Via", 'v', true},
	Warning:            {"Warning", 0, true},
	WWWAuthenticate:    {"WWW-Authenticate", 0, false},
}

// String returns the name in its long form, empty for OtherName.
func (n Name) String() string { return names[n].text }

// List reports whether the field's values may stand in one line between commas
// (RFC 3261, 7.3.1). Those with challenges and credentials may not.
func (n Name) List() bool { return names[n].list }

// longest known name, plus one.
const nameRoom = 22

// nameIndex finds names: by their letter, and by length and first letter.
type nameIndex struct {
	compact [26]Name
	byLen   [nameRoom][]Name
}

var nameTable = makeNameIndex()

func makeNameIndex() *nameIndex {
	x := &nameIndex{}
	for n := OtherName + 1; n < nameCount; n++ {
		if c := names[n].compact; c != 0 {
			x.compact[c-'a'] = n
		}
		x.byLen[len(names[n].text)] = append(x.byLen[len(names[n].text)], n)
	}
	return x
}

// NameOf returns the number of a header field's name, in any case, long or compact
// (RFC 3261, 7.3.3).
func NameOf(text []byte) Name {
	if len(text) == 1 {
		if c := text[0] | 0x20; c >= 'a' && c <= 'z' {
			return nameTable.compact[c-'a']
		}
		return OtherName
	}
	if len(text) == 0 || len(text) >= nameRoom {
		return OtherName
	}
	first := text[0] | 0x20
	for _, n := range nameTable.byLen[len(text)] {
		if known := names[n].text; known[0]|0x20 == first && sameFold(text, known) {
			return n
		}
	}
	return OtherName
}
