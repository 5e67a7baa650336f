package msg

import "errors"

// Why a value is no number.
var (
	ErrNumber = errors.New("msg: parse number: not a whole number in its range")
	ErrCSeq   = errors.New("msg: parse CSeq: not a number and a method")
	ErrAbsent = errors.New("msg: no such header field")
)

// CSeq orders the requests of a dialog (RFC 3261, 20.16).
type CSeq struct {
	Number uint32 // below 1<<31
	Method []byte
}

// CSeq returns the value of CSeq.
func (m *Message) CSeq() (CSeq, error) {
	v, ok := m.Get(CSeqName)
	if !ok {
		return CSeq{}, ErrAbsent
	}
	end := 0
	for end < len(v) && is(v[end], classDigit) {
		end++
	}
	n, ok := number(v[:end], 1<<31-1)
	at := skipLWS(v, end)
	if !ok || at == end || !all(v[at:], classToken) {
		return CSeq{}, ErrCSeq
	}
	return CSeq{Number: uint32(n), Method: v[at:]}, nil
}

// Number returns the value of a header field that is one whole number, at most
// limit; false if the field is absent.
func (m *Message) Number(n Name, limit uint64) (uint64, bool, error) {
	v, ok := m.Get(n)
	if !ok {
		return 0, false, nil
	}
	value, ok := number(v, limit)
	if !ok {
		return 0, true, ErrNumber
	}
	return value, true, nil
}

// MaxForwards returns how many hops a request may still take, 0 to 255; false if it
// does not say.
func (m *Message) MaxForwards() (int, bool, error) {
	n, ok, err := m.Number(MaxForwards, 255)
	return int(n), ok, err
}

// ContentLength returns how long the body says that it is; false if it does not.
func (m *Message) ContentLength() (int, bool, error) {
	n, ok, err := m.Number(ContentLength, 1<<31-1)
	return int(n), ok, err
}

// CallID returns the Call-ID, nil if there is none.
func (m *Message) CallID() []byte {
	v, _ := m.Get(CallID)
	return v
}
