package msg

// Method numbers the methods that matter to a proxy; all others are OtherMethod,
// and their text is what counts.
type Method uint8

// The methods and where they come from.
const (
	OtherMethod   Method = iota
	Invite               // RFC 3261
	Ack                  // RFC 3261
	Cancel               // RFC 3261
	Bye                  // RFC 3261
	Register             // RFC 3261
	Options              // RFC 3261
	Prack                // RFC 3262
	Update               // RFC 3311
	Info                 // RFC 6086
	Subscribe            // RFC 6665
	Notify               // RFC 6665
	Refer                // RFC 3515
	Publish              // RFC 3903
	MessageMethod        // RFC 3428
)

var methodTexts = [...]string{
	"", "INVITE", "ACK", "CANCEL", "BYE", "REGISTER", "OPTIONS", "PRACK", "UPDATE", "INFO",
	"SUBSCRIBE", "NOTIFY", "REFER", "PUBLISH", "MESSAGE",
}

// String returns the method as messages spell it, empty for OtherMethod.
func (m Method) String() string { return methodTexts[m] }

// MethodOf returns the number of a method; names of methods are case-sensitive
// (RFC 3261, 7.1).
func MethodOf(text []byte) Method {
	if len(text) < 3 || len(text) > 9 {
		return OtherMethod
	}
	for i := 1; i < len(methodTexts); i++ {
		if methodTexts[i][0] == text[0] && methodTexts[i] == string(text) {
			return Method(i)
		}
	}
	return OtherMethod
}
