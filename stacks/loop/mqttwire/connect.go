package mqttwire

// connect takes the body of CONNECT (MQTT 5 section 3.1).
func (p *Packet) connect(d *decoder) {
	name := d.text()
	p.Version = d.byte()
	flags := d.byte()
	p.KeepAlive = d.two()
	if d.err != nil {
		return
	}
	switch {
	case name == "MQTT" && (p.Version == V311 || p.Version == V5), name == "MQIsdp" && p.Version == V31:
	case name == "MQTT" || name == "MQIsdp":
		d.err = &Error{UnsupportedVersion, "protocol version"}
		return
	default:
		d.fail("protocol name")
		return
	}
	qos := flags >> 3 & 3
	if flags&1 != 0 || qos == 3 || flags&4 == 0 && flags&0x38 != 0 {
		d.fail("flags of CONNECT")
		return
	}
	p.Clean = flags&2 != 0
	p.HasUser, p.HasPassword = flags&0x80 != 0, flags&0x40 != 0
	if p.HasPassword && !p.HasUser && p.Version != V5 {
		d.fail("password without user")
		return
	}
	if p.Version == V5 {
		p.Properties = d.properties(Connect)
		if _, data := p.Properties.Get(AuthData); data {
			if _, method := p.Properties.Get(AuthMethod); !method && d.err == nil {
				d.err = violation("authentication data without method")
			}
		}
	}
	p.ClientID = d.text()
	if flags&4 != 0 {
		p.Will = &Will{QoS: qos, Retain: flags&0x20 != 0}
		p.will(d)
	}
	if p.HasUser {
		p.User = d.text()
	}
	if p.HasPassword {
		p.Password = d.data()
	}
	if d.err == nil && p.ClientID == "" && !p.Clean && p.Version != V5 {
		d.err = &Error{BadClientID, "session to be kept without client identifier"}
	}
}

func (p *Packet) will(d *decoder) {
	w := p.Will
	if p.Version == V5 && d.err == nil {
		w.Properties = d.properties(inWill)
	}
	w.Topic = d.text()
	w.Payload = append([]byte(nil), d.data()...)
	if d.err == nil && !ValidTopic(w.Topic) {
		d.err = &Error{InvalidTopic, "topic of the will"}
	}
}

// Refusal returns the return code that a CONNACK before MQTT 5 has for a reason
// (MQTT 3.1.1 section 3.2.2.3).
func Refusal(reason byte) byte {
	switch reason {
	case Success:
		return 0
	case UnsupportedVersion:
		return 1
	case BadClientID:
		return 2
	case BadLogin:
		return 4
	case NotAuthorized:
		return 5
	}
	return 3
}
