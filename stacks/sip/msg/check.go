package msg

import "bytes"

// Fault is why a request cannot be handled: the reply that says so. The zero Fault
// is none. A reply that has one is dropped.
type Fault struct {
	Code   int
	Reason string
}

// Found reports whether there is a fault.
func (f Fault) Found() bool { return f.Code != 0 }

// blame keeps the first fault.
func (m *Message) blame(code int, reason string) {
	if m.fault.Code == 0 {
		m.fault = Fault{code, reason}
	}
}

// Check reads what a proxy has to rely on (RFC 3261, 16.3) and says what is wrong.
// What only the ends of a call need to understand, it leaves to them.
func (m *Message) Check() Fault {
	if m.fault.Code != 0 {
		return m.fault
	}
	for _, n := range [...]Name{ViaName, From, To, CallID, CSeqName} {
		if m.first[n] == 0 {
			return Fault{400, missing[n]}
		}
	}
	for _, n := range [...]Name{From, To, CallID, CSeqName, MaxForwards, ContentLength} {
		if i := int(m.first[n]); i != 0 && m.Index(i, n, "") >= 0 {
			return Fault{400, "More Than One " + names[n].text}
		}
	}
	if f := m.checkNumbers(); f.Found() {
		return f
	}
	if _, err := m.Via(); err != nil {
		return Fault{400, "Bad Via"}
	}
	if _, err := m.Address(From); err != nil {
		return Fault{400, "Bad From"}
	}
	if _, err := m.Address(To); err != nil {
		return Fault{400, "Bad To"}
	}
	if len(m.CallID()) == 0 {
		return Fault{400, "Bad Call-ID"}
	}
	if m.request {
		return m.checkTarget()
	}
	return Fault{}
}

var missing = [nameCount]string{
	ViaName: "Missing Via", From: "Missing From", To: "Missing To", CallID: "Missing Call-ID", CSeqName: "Missing CSeq",
}

func (m *Message) checkNumbers() Fault {
	seq, err := m.CSeq()
	if err != nil {
		return Fault{400, "Bad CSeq"}
	}
	if m.request && !bytes.Equal(seq.Method, m.MethodText()) {
		return Fault{400, "CSeq Names Another Method"}
	}
	if _, _, err = m.MaxForwards(); err != nil {
		return Fault{400, "Bad Max-Forwards"}
	}
	n, ok, err := m.ContentLength()
	if err != nil {
		return Fault{400, "Bad Content-Length"}
	}
	if ok && n > len(m.Body()) {
		return Fault{400, "Body Shorter Than Content-Length"}
	}
	return Fault{}
}

// checkTarget refuses request URIs that cannot be routed on (16.3, 16.4).
func (m *Message) checkTarget() Fault {
	u, err := ParseURI(m.RequestURI())
	switch {
	case err != nil:
		return Fault{400, "Bad Request-URI"}
	case u.Scheme == OtherScheme:
		return Fault{416, "Unsupported URI Scheme"}
	case len(u.Headers) != 0:
		return Fault{400, "Header Fields In Request-URI"}
	}
	return Fault{}
}

// TrimBody cuts what follows the body of a message that came as a datagram: the
// rest is nobody's (RFC 3261, 18.3).
func (m *Message) TrimBody() {
	if n, ok, err := m.ContentLength(); ok && err == nil && n < len(m.Body()) {
		m.raw = m.raw[:int(m.head)+n]
	}
}

// CheckHop says why a request may not go one hop further: its Max-Forwards is used
// up, or it asks of proxies what none here has (RFC 3261, 16.3). The reply to the
// second names each value of Proxy-Require in Unsupported.
func (m *Message) CheckHop() Fault {
	if n, ok, err := m.MaxForwards(); ok && err == nil && n == 0 {
		return Fault{483, "Too Many Hops"}
	}
	if v := m.Values(ProxyRequire); v.Next() && len(v.Value()) != 0 {
		return Fault{420, "Bad Extension"}
	}
	return Fault{}
}
