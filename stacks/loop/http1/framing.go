package http1

// known numbers the fields that decide about a message's end and connection.
type known uint8

const (
	other known = iota
	connection
	contentLength
	transferEncoding
	host
	upgrade
	expect
)

func lookUp(name []byte) known {
	k, word := other, ""
	switch len(name) {
	case 4:
		k, word = host, "host"
	case 6:
		k, word = expect, "expect"
	case 7:
		k, word = upgrade, "upgrade"
	case 10:
		k, word = connection, "connection"
	case 14:
		k, word = contentLength, "content-length"
	case 17:
		k, word = transferEncoding, "transfer-encoding"
	default:
		return other
	}
	if !fold(name, word) {
		return other
	}
	return k
}

// note takes what a field says about the message's end and its connection.
func (h *Head) note(k known, v []byte, at span) *Error {
	switch k {
	case host:
		h.hosts = min(2, h.hosts+1)
		h.host = at
	case contentLength:
		h.lengths = min(2, h.lengths+1)
		n, ok := number(v)
		if !ok {
			return ErrLength
		}
		h.length = n
	case transferEncoding:
		h.noteCoding(v)
	case connection:
		h.noteConnection(v)
	case upgrade:
		if len(v) > 0 {
			h.options |= hasUpgrade
		}
	case expect:
		if fold(v, "100-continue") {
			h.Continue = true
		} else {
			h.options |= expectOther
		}
	}
	return nil
}

// number reads decimal digits, all of them; 18 fit whatever they are.
func number(v []byte) (n int64, ok bool) {
	if len(v) == 0 || len(v) > 18 {
		return 0, false
	}
	for _, b := range v {
		if !digit(b) {
			return 0, false
		}
		n = n*10 + int64(b-'0')
	}
	return n, true
}

func (h *Head) noteCoding(v []byte) {
	if h.coded == 2 { // something follows chunked
		h.options |= codedBadly
	}
	h.coded = max(h.coded, 1)
	for e, rest := element(v); ; e, rest = element(rest) {
		switch {
		case h.coded == 2:
			h.options |= codedBadly
		case fold(e, "chunked"):
			h.coded = 2
		case !IsToken(e):
			h.options |= codedBadly
		default:
			h.options |= codedOtherly
		}
		if rest == nil {
			return
		}
	}
}

func (h *Head) noteConnection(v []byte) {
	for e, rest := element(v); ; e, rest = element(rest) {
		switch {
		case fold(e, "close"):
			h.options |= optClose
		case fold(e, "keep-alive"):
			h.options |= optKeep
		case fold(e, "upgrade"):
			h.options |= optUpgrade
		}
		if rest == nil {
			return
		}
	}
}

// finish decides what the fields together mean (RFC 9112 sections 6.3 and 9.3).
func (h *Head) finish() *Error {
	h.KeepAlive = h.options&optClose == 0 && (h.Minor == 1 || h.options&optKeep != 0)
	h.Continue = h.Continue && h.Minor == 1
	h.Upgrade = h.options&(optUpgrade|hasUpgrade) == optUpgrade|hasUpgrade && h.Minor == 1
	if h.coded != 0 {
		h.Framing = ByChunks
		return h.coding()
	}
	switch {
	case h.lengths > 1:
		return ErrLengthTwice
	case h.lengths == 1:
		h.Framing, h.Length = ByLength, h.length
		if h.length == 0 {
			h.Framing = NoBody
		}
	case h.Status != 0:
		h.Framing = UntilClose
	}
	return nil
}

// coding judges Transfer-Encoding.
func (h *Head) coding() *Error {
	switch {
	case h.lengths > 0:
		return ErrBothLengths
	case h.Minor == 0:
		return ErrCodingOld
	case h.coded != 2 || h.options&codedBadly != 0:
		return ErrCoding
	case h.options&codedOtherly != 0:
		return ErrCodingOther
	}
	return nil
}

// Check refuses what a server has to refuse in a request whose end is clear: a
// Host that is missing, there twice or no host (RFC 9112 section 3.2), and
// expectations that nobody fulfils (RFC 9110 section 10.1.1).
func (h *Head) Check() error {
	switch {
	case h.hosts == 0 && h.Minor == 1:
		return ErrHostMissing
	case h.hosts > 1:
		return ErrHostTwice
	case !all(h.part(h.host), isHost):
		return ErrHost
	case h.options&expectOther != 0:
		return ErrExpect
	}
	return nil
}

// Answers tells a response's head which request it answers: to HEAD there is
// never content, nor with 1xx, 204 and 304; after a CONNECT that succeeded the
// connection is no longer HTTP's (RFC 9112 section 6.3).
func (h *Head) Answers(method string) {
	switch {
	case method == "HEAD" || h.Status < 200 || h.Status == 204 || h.Status == 304,
		method == "CONNECT" && h.Status < 300:
		h.Framing, h.Length = NoBody, 0
	case h.Framing == UntilClose:
		h.KeepAlive = false
	}
}
