package mqttwire

import "encoding/binary"

// PropertyID names a property of MQTT 5 (section 2.2.2.2).
type PropertyID byte

// The properties.
const (
	PayloadFormat        PropertyID = 0x01
	MessageExpiry        PropertyID = 0x02
	ContentType          PropertyID = 0x03
	ResponseTopic        PropertyID = 0x08
	CorrelationData      PropertyID = 0x09
	SubscriptionID       PropertyID = 0x0b
	SessionExpiry        PropertyID = 0x11
	AssignedClientID     PropertyID = 0x12
	ServerKeepAlive      PropertyID = 0x13
	AuthMethod           PropertyID = 0x15
	AuthData             PropertyID = 0x16
	RequestProblemInfo   PropertyID = 0x17
	WillDelay            PropertyID = 0x18
	RequestResponseInfo  PropertyID = 0x19
	ResponseInfo         PropertyID = 0x1a
	ServerReference      PropertyID = 0x1c
	ReasonString         PropertyID = 0x1f
	ReceiveMaximum       PropertyID = 0x21
	TopicAliasMaximum    PropertyID = 0x22
	TopicAlias           PropertyID = 0x23
	MaximumQoS           PropertyID = 0x24
	RetainAvailable      PropertyID = 0x25
	UserProperty         PropertyID = 0x26
	MaximumPacketSize    PropertyID = 0x27
	WildcardAvailable    PropertyID = 0x28
	SubscriptionIDsAvail PropertyID = 0x29
	SharedAvailable      PropertyID = 0x2a
)

// Property is one of a packet. Num is the value of those that are numbers, Data of
// those that are bytes or text; a user property has its name in Name.
type Property struct {
	ID   PropertyID
	Num  uint32
	Name string
	Data []byte
}

// Properties are those of a packet, in order.
type Properties []Property

// Get returns the first of that name.
func (l Properties) Get(id PropertyID) (Property, bool) {
	for _, p := range l {
		if p.ID == id {
			return p, true
		}
	}
	return Property{}, false
}

// Num returns the number of the first of that name, or def.
func (l Properties) Num(id PropertyID, def uint32) uint32 {
	if p, ok := l.Get(id); ok {
		return p.Num
	}
	return def
}

// kinds of values.
const (
	kindByte = iota + 1
	kindTwo
	kindFour
	kindVar
	kindText
	kindData
	kindPair
)

// inWill is the bit of a will's properties, which are no packet's.
const inWill = 0

// propertyRule says what a property's value is, and where it may stand.
type propertyRule struct {
	kind  byte
	types uint16 // a bit for each type of packet
	many  bool
}

func in(types ...Type) (bits uint16) {
	for _, t := range types {
		bits |= 1 << t
	}
	return bits
}

var propertyRules = map[PropertyID]propertyRule{
	PayloadFormat:        {kindByte, in(Publish, inWill), false},
	MessageExpiry:        {kindFour, in(Publish, inWill), false},
	ContentType:          {kindText, in(Publish, inWill), false},
	ResponseTopic:        {kindText, in(Publish, inWill), false},
	CorrelationData:      {kindData, in(Publish, inWill), false},
	SubscriptionID:       {kindVar, in(Publish, Subscribe), false},
	SessionExpiry:        {kindFour, in(Connect, Connack, Disconnect), false},
	AssignedClientID:     {kindText, in(Connack), false},
	ServerKeepAlive:      {kindTwo, in(Connack), false},
	AuthMethod:           {kindText, in(Connect, Connack, Auth), false},
	AuthData:             {kindData, in(Connect, Connack, Auth), false},
	RequestProblemInfo:   {kindByte, in(Connect), false},
	WillDelay:            {kindFour, in(inWill), false},
	RequestResponseInfo:  {kindByte, in(Connect), false},
	ResponseInfo:         {kindText, in(Connack), false},
	ServerReference:      {kindText, in(Connack, Disconnect), false},
	ReasonString:         {kindText, in(Connack, Puback, Pubrec, Pubrel, Pubcomp, Suback, Unsuback, Disconnect, Auth), false},
	ReceiveMaximum:       {kindTwo, in(Connect, Connack), false},
	TopicAliasMaximum:    {kindTwo, in(Connect, Connack), false},
	TopicAlias:           {kindTwo, in(Publish), false},
	MaximumQoS:           {kindByte, in(Connack), false},
	RetainAvailable:      {kindByte, in(Connack), false},
	UserProperty:         {kindPair, in(inWill, Connect, Connack, Publish, Puback, Pubrec, Pubrel, Pubcomp, Subscribe, Suback, Unsubscribe, Unsuback, Disconnect, Auth), true},
	MaximumPacketSize:    {kindFour, in(Connect, Connack), false},
	WildcardAvailable:    {kindByte, in(Connack), false},
	SubscriptionIDsAvail: {kindByte, in(Connack), false},
	SharedAvailable:      {kindByte, in(Connack), false},
}

// properties takes the properties of a packet of that type.
func (d *decoder) properties(t Type) (list Properties) {
	size := d.varint()
	if d.err != nil || size > len(d.p) {
		d.fail("properties")
		return nil
	}
	rest := d.p[size:]
	d.p = d.p[:size]
	for len(d.p) > 0 && d.err == nil {
		p := d.property(t, list)
		list = append(list, p)
	}
	d.p = rest
	return list
}

func (d *decoder) property(t Type, before Properties) (p Property) {
	p.ID = PropertyID(d.byte())
	rule, ok := propertyRules[p.ID]
	switch {
	case d.err != nil:
		return p
	case !ok:
		d.fail("unknown property")
		return p
	case rule.types&(1<<t) == 0:
		d.err = violation("property of another packet")
		return p
	}
	many := rule.many || p.ID == SubscriptionID && t == Publish
	if _, twice := before.Get(p.ID); twice && !many {
		d.err = violation("property twice")
		return p
	}
	switch rule.kind {
	case kindByte:
		p.Num = uint32(d.byte())
	case kindTwo:
		p.Num = uint32(d.two())
	case kindFour:
		p.Num = d.four()
	case kindVar:
		p.Num = uint32(d.varint())
	case kindText:
		p.Data = []byte(d.text())
	case kindData:
		p.Data = append([]byte{}, d.data()...)
	case kindPair:
		p.Name = d.text()
		p.Data = []byte(d.text())
	}
	if d.err == nil && !p.sound() {
		d.err = violation("value of a property")
	}
	return p
}

// sound checks the values that a property may have.
func (p *Property) sound() bool {
	switch p.ID {
	case PayloadFormat, RequestProblemInfo, RequestResponseInfo, MaximumQoS, RetainAvailable, WildcardAvailable, SubscriptionIDsAvail, SharedAvailable:
		return p.Num <= 1
	case SubscriptionID, ReceiveMaximum, MaximumPacketSize, TopicAlias:
		return p.Num != 0
	case ResponseTopic:
		return ValidTopic(string(p.Data))
	}
	return true
}

// append appends the properties with their length.
func (l Properties) append(dst []byte) []byte {
	body := make([]byte, 0, 64)
	for _, p := range l {
		body = append(body, byte(p.ID))
		switch propertyRules[p.ID].kind {
		case kindByte:
			body = append(body, byte(p.Num))
		case kindTwo:
			body = binary.BigEndian.AppendUint16(body, uint16(p.Num))
		case kindFour:
			body = binary.BigEndian.AppendUint32(body, p.Num)
		case kindVar:
			body = appendVarint(body, int(p.Num))
		case kindText, kindData:
			body = appendData(body, p.Data)
		case kindPair:
			body = appendData(appendData(body, []byte(p.Name)), p.Data)
		}
	}
	return append(appendVarint(dst, len(body)), body...)
}
