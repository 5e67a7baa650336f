package http1

// span is a part of a head.
type span struct{ off, end int32 }

// field is a line of a head.
type field struct {
	name, value span
	known       known
}

// Framing says how a message's content ends.
type Framing uint8

// The framings (RFC 9112 section 6.3).
const (
	NoBody     Framing = iota
	ByLength           // Head.Length bytes
	ByChunks           // chunked
	UntilClose         // a response up to the end of the connection
)

// Head is a request's or response's head. All slices that its methods return are
// parts of the bytes that it was parsed from, and lent as those are.
type Head struct {
	raw    []byte
	fields []field

	method, target, reason span

	// Minor is the minor version, 0 or 1; HTTP/1.2 and later count as 1.1.
	Minor uint8
	// Status is a response's status, 0 for a request.
	Status int
	// Framing says how the content ends, Length how long it is where that is known.
	Framing Framing
	Length  int64
	// KeepAlive says that the connection outlives the message, as far as the sender
	// is concerned (RFC 9112 section 9.3).
	KeepAlive bool
	// Continue says that the sender waits for 100 before it sends the content.
	Continue bool
	// Upgrade says that there are both an Upgrade field and the option that says so.
	Upgrade bool

	coded, lengths, hosts uint8
	options               option
	host                  span
	length                int64
}

// option is what Connection fields say.
type option uint8

const (
	optClose option = 1 << iota
	optKeep
	optUpgrade
	hasUpgrade
	codedBadly   // the last coding is not chunked, or chunked comes twice
	codedOtherly // there is another coding before chunked
	expectOther
)

func (h *Head) part(s span) []byte { return h.raw[s.off:s.end] }

// Raw returns the whole head as it was received, with its empty line.
func (h *Head) Raw() []byte { return h.raw }

// Move says that the head's bytes are now those of raw, which is a copy of [Head.Raw].
func (h *Head) Move(raw []byte) { h.raw = raw }

// Method returns a request's method.
func (h *Head) Method() []byte { return h.part(h.method) }

// Target returns a request's target as it was received.
func (h *Head) Target() []byte { return h.part(h.target) }

// Reason returns the words behind a response's status; often none.
func (h *Head) Reason() []byte { return h.part(h.reason) }

// Path returns the target's path, as it was received and without query: of "*" that,
// of a CONNECT none, of "http://host" the path "/".
func (h *Head) Path() []byte {
	p, _, _ := h.split()
	return p
}

// Query returns what follows the target's question mark, and whether there is one.
func (h *Head) Query() (query []byte, ok bool) {
	_, q, ok := h.split()
	return q, ok
}

var slash = []byte("/")

func (h *Head) split() (path, query []byte, hasQuery bool) {
	t := h.Target()
	if a, rest := authority(t); a != nil {
		t = rest
		if len(t) == 0 || t[0] == '?' {
			path = slash
		}
	} else if string(h.Method()) == "CONNECT" {
		return nil, nil, false
	}
	for i, b := range t {
		if b == '?' {
			if path == nil {
				path = t[:i]
			}
			return path, t[i+1:], true
		}
	}
	if path == nil {
		path = t
	}
	return path, nil, false
}

// authority takes the host off a target in absolute form, and returns nil for others.
func authority(t []byte) (host, rest []byte) {
	for _, scheme := range [...]string{"http://", "https://"} {
		if len(t) < len(scheme) || !fold(t[:len(scheme)], scheme) {
			continue
		}
		t = t[len(scheme):]
		for i, b := range t {
			if b == '/' || b == '?' {
				return t[:i], t[i:]
			}
		}
		return t, t[len(t):]
	}
	return nil, nil
}

// Host returns whom the request is for: what an absolute target or that of a
// CONNECT says, else the Host field (RFC 9112 section 3.2.2). Empty if neither does.
func (h *Head) Host() []byte {
	if a, _ := authority(h.Target()); a != nil {
		return a
	}
	if string(h.Method()) == "CONNECT" {
		return h.Target()
	}
	return h.part(h.host)
}

// Len returns how many fields there are.
func (h *Head) Len() int { return len(h.fields) }

// Field returns a field in the order of receipt, from 0.
func (h *Head) Field(i int) (name, value []byte) {
	f := &h.fields[i]
	return h.part(f.name), h.part(f.value)
}

// Get returns the value of the first field with a name given in lower case, and
// whether there is one.
func (h *Head) Get(name string) (value []byte, ok bool) {
	i := h.Next(name, 0)
	if i < 0 {
		return nil, false
	}
	return h.part(h.fields[i].value), true
}

// Next returns the index of the first field at or after from with a name given in
// lower case, -1 if there is none.
func (h *Head) Next(name string, from int) int {
	for i := from; i < len(h.fields); i++ {
		if n := h.fields[i].name; int(n.end-n.off) == len(name) && fold(h.part(n), name) {
			return i
		}
	}
	return -1
}
