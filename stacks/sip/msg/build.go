package msg

import "strconv"

// Reply is what a reply says that is made here.
type Reply struct {
	Code   int
	Reason string
	// Tag is the To tag, where the request has none; empty in a 100.
	Tag []byte
	// Via is put in the place of the request's topmost value, nil leaves that.
	Via []byte
	// Fields are further header fields, whole lines.
	Fields []byte
	// Body is the body, of the type that Fields name.
	Body []byte
}

// AppendReply appends the reply to a request (RFC 3261, 8.2.6): its Via, From, To,
// Call-ID and CSeq as they stand there, Record-Route in what makes a dialog, and
// Timestamp in a 100. Of what may be there once and is there again, the first counts.
func AppendReply(dst []byte, req *Message, r *Reply) []byte {
	dst = append(dst, "SIP/2.0 "...)
	dst = strconv.AppendInt(dst, int64(r.Code), 10)
	dst = append(append(append(dst, ' '), r.Reason...), "\r\n"...)
	first := true
	for i := range req.fields {
		f := &req.fields[i]
		switch {
		case f.id == ViaName && first && r.Via != nil:
			first = false
			dst = append(append(dst, "Via: "...), r.Via...)
			if end := comma(f.val.of(req.raw)); end < int(f.val.end-f.val.off) {
				dst = append(dst, req.raw[f.val.off+uint32(end):f.val.end]...)
			}
			dst = append(dst, "\r\n"...)
		case f.id != ViaName && f.id != RecordRoute && int(req.first[f.id]) != i+1:
		case f.id == ViaName, f.id == From, f.id == CallID, f.id == CSeqName,
			f.id == RecordRoute && r.Code > 100 && r.Code < 300,
			f.id == Timestamp && r.Code == 100:
			dst = appendLine(dst, req, f)
		case f.id == To:
			dst = appendTo(dst, req, f, r.Tag)
		}
	}
	dst = append(dst, r.Fields...)
	return appendBody(dst, r.Body)
}

func appendLine(dst []byte, m *Message, f *field) []byte {
	return append(append(dst, m.raw[f.line.off:f.val.end]...), "\r\n"...)
}

func appendTo(dst []byte, req *Message, f *field, tag []byte) []byte {
	dst = append(dst, req.raw[f.line.off:f.val.end]...)
	if len(tag) != 0 {
		if a, err := ParseAddress(f.val.of(req.raw)); err != nil || a.Tag() == nil {
			dst = append(append(dst, ";tag="...), tag...)
		}
	}
	return append(dst, "\r\n"...)
}

func appendBody(dst, body []byte) []byte {
	dst = append(dst, "Content-Length: "...)
	dst = strconv.AppendInt(dst, int64(len(body)), 10)
	return append(append(dst, "\r\n\r\n"...), body...)
}

// AppendAck appends the ACK for a final reply that is no 2xx: what the INVITE as it
// was sent says, with the To of the reply (RFC 3261, 17.1.1.3).
func AppendAck(dst []byte, invite, reply *Message) []byte {
	return appendHop(dst, invite, "ACK", reply, nil)
}

// AppendCancel appends the CANCEL of a request as it was sent (RFC 3261, 9.1).
// fields are further header fields, whole lines, such as a Reason (RFC 3326).
func AppendCancel(dst []byte, invite *Message, fields []byte) []byte {
	return appendHop(dst, invite, "CANCEL", invite, fields)
}

// appendHop makes a request of its own hop from one that was sent: the same target,
// topmost Via, Route, From, Call-ID and number.
func appendHop(dst []byte, sent *Message, method string, to *Message, fields []byte) []byte {
	dst = append(append(append(dst, method...), ' '), sent.RequestURI()...)
	dst = append(dst, " SIP/2.0\r\n"...)
	via := sent.Values(ViaName)
	if via.Next() {
		dst = append(append(append(dst, "Via: "...), via.Value()...), "\r\n"...)
	}
	dst = append(dst, "Max-Forwards: 70\r\n"...)
	for i := range sent.fields {
		switch f := &sent.fields[i]; f.id {
		case Route, From, CallID:
			dst = appendLine(dst, sent, f)
		case To:
			if j := to.Index(0, To, ""); j >= 0 {
				dst = appendLine(dst, to, &to.fields[j])
			}
		case CSeqName:
			if seq, err := sent.CSeq(); err == nil {
				dst = append(dst, "CSeq: "...)
				dst = strconv.AppendUint(dst, uint64(seq.Number), 10)
				dst = append(append(append(dst, ' '), method...), "\r\n"...)
			}
		}
	}
	dst = append(dst, fields...)
	return appendBody(dst, nil)
}

// AppendAck2xx appends the ACK of a 2xx, all but its Via: to the Contact of the reply,
// by its Record-Route backwards (RFC 3261, 12.1.2, 13.2.2.4). It appends nothing where
// the reply has no Contact that can be read.
func AppendAck2xx(dst []byte, invite, reply *Message) []byte {
	contact, err := reply.Address(Contact)
	if err != nil || len(contact.URI) == 0 {
		return dst
	}
	dst = append(append(append(dst, "ACK "...), Bare(contact.URI)...), " SIP/2.0\r\nMax-Forwards: 70\r\n"...)
	var route [][]byte
	for v := reply.Values(RecordRoute); v.Next(); {
		route = append(route, v.Value())
	}
	for i := len(route) - 1; i >= 0; i-- {
		dst = append(append(append(dst, "Route: "...), route[i]...), "\r\n"...)
	}
	for i := range invite.fields {
		switch f := &invite.fields[i]; f.id {
		case From, CallID, Authorization, ProxyAuthorization:
			dst = appendLine(dst, invite, f)
		case To:
			if j := reply.Index(0, To, ""); j >= 0 {
				dst = appendLine(dst, reply, &reply.fields[j])
			}
		case CSeqName:
			if seq, err := invite.CSeq(); err == nil {
				dst = append(strconv.AppendUint(append(dst, "CSeq: "...), uint64(seq.Number), 10), " ACK\r\n"...)
			}
		}
	}
	return appendBody(dst, nil)
}
