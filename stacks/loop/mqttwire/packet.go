package mqttwire

import (
	"fmt"
	"slices"
)

// Type is what a packet is (MQTT 5 section 2.1.2).
type Type byte

// The types.
const (
	Connect     Type = 1
	Connack     Type = 2
	Publish     Type = 3
	Puback      Type = 4
	Pubrec      Type = 5
	Pubrel      Type = 6
	Pubcomp     Type = 7
	Subscribe   Type = 8
	Suback      Type = 9
	Unsubscribe Type = 10
	Unsuback    Type = 11
	Pingreq     Type = 12
	Pingresp    Type = 13
	Disconnect  Type = 14
	Auth        Type = 15
)

var typeNames = [...]string{
	"reserved", "connect", "connack", "publish", "puback", "pubrec", "pubrel", "pubcomp",
	"subscribe", "suback", "unsubscribe", "unsuback", "pingreq", "pingresp", "disconnect", "auth",
}

// String returns the name in lower case.
func (t Type) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return fmt.Sprintf("type(%d)", byte(t))
}

// Versions of the protocol, as CONNECT has them.
const (
	V31  = 3
	V311 = 4
	V5   = 5
)

// Reason codes of MQTT 5 that are used here (section 2.4); below 0x80 is success.
const (
	Success                = 0x00
	DisconnectWithWill     = 0x04
	NoMatchingSubscribers  = 0x10
	NoSubscription         = 0x11
	UnspecifiedError       = 0x80
	MalformedPacket        = 0x81
	ProtocolError          = 0x82
	UnsupportedVersion     = 0x84
	BadClientID            = 0x85
	BadLogin               = 0x86
	NotAuthorized          = 0x87
	ServerUnavailable      = 0x88
	ServerBusy             = 0x89
	ServerShuttingDown     = 0x8b
	SessionTakenOver       = 0x8e
	InvalidFilter          = 0x8f
	InvalidTopic           = 0x90
	PacketIDInUse          = 0x91
	PacketIDNotFound       = 0x92
	ReceiveMaximumExceeded = 0x93
	InvalidTopicAlias      = 0x94
	PacketTooLarge         = 0x95
	QuotaExceeded          = 0x97
	InvalidPayload         = 0x99
	NoSharedSubscriptions  = 0x9e
	NoSubscriptionIDs      = 0xa1
)

// Error is what is wrong with a packet.
type Error struct {
	Reason byte // of MQTT 5
	Text   string
}

// Error returns the text with the code.
func (e *Error) Error() string { return fmt.Sprintf("mqttwire: %s (0x%02x)", e.Text, e.Reason) }

func malformed(text string) error { return &Error{MalformedPacket, text} }

func violation(text string) error { return &Error{ProtocolError, text} }

// Filter is what a client subscribes to.
type Filter struct {
	Topic string
	QoS   byte
	// NoLocal, AsPublished and RetainHandling are of MQTT 5 (section 3.8.3.1): what the
	// client publishes itself is not for it; the flag stays as it was published; when
	// retained messages are sent: 0 always, 1 for a new subscription, 2 never.
	NoLocal, AsPublished bool
	RetainHandling       byte
}

// Will is what is published for a client that is lost.
type Will struct {
	Topic      string
	Payload    []byte
	QoS        byte
	Retain     bool
	Properties Properties
}

// Packet is a packet of any type; which fields it has follows from that.
type Packet struct {
	Type Type
	// Dup, QoS and Retain are those of PUBLISH.
	Dup, Retain bool
	QoS         byte

	// Of CONNECT. Version is one of V31, V311 and V5; Clean asks for a session without
	// memory (Clean Start); KeepAlive is in seconds.
	Version              byte
	Clean                bool
	KeepAlive            uint16
	ClientID             string
	Will                 *Will
	HasUser, HasPassword bool
	User                 string
	Password             []byte

	// SessionPresent is that of CONNACK.
	SessionPresent bool
	// Reason is that of acknowledgements, DISCONNECT and AUTH; of a CONNACK before MQTT 5
	// its return code.
	Reason byte
	// Topic and Payload are those of PUBLISH.
	Topic   string
	Payload []byte
	// ID is the packet identifier, 0 where there is none.
	ID uint16
	// Filters are those of SUBSCRIBE and, with nothing but Topic, of UNSUBSCRIBE.
	Filters []Filter
	// Reasons are those of SUBACK and UNSUBACK, one a filter.
	Reasons []byte
	// Properties are those of MQTT 5.
	Properties Properties
}

// MaxRemaining is how long a packet is at most behind its fixed header.
const MaxRemaining = 268_435_455

// Published returns the properties that the message of a will has: all but its delay.
func (w *Will) Published() Properties {
	return slices.DeleteFunc(slices.Clone(w.Properties), func(p Property) bool { return p.ID == WillDelay })
}
