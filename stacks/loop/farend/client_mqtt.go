package farend

import (
	"errors"
	"fmt"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/plain"
	"github.com/hookd/hookd/engine/event/verb"
	"github.com/hookd/hookd/stacks/loop/mqttwire"
)

func (c *client) mqttWords() words {
	return words{
		"login": c.loginWord, "publish": c.publishWord,
		"subscribe": func(v verb.Call) error { return c.subscribeWord(v, mqttwire.Subscribe, mqttwire.Suback) },
		"unsubscribe": func(v verb.Call) error {
			return c.subscribeWord(v, mqttwire.Unsubscribe, mqttwire.Unsuback)
		},
		"disconnect": func(v verb.Call) error {
			if _, err := c.SendPacket(&mqttwire.Packet{Type: mqttwire.Disconnect}); err != nil {
				return err
			}
			return c.settle(v)
		},
	}
}

// loginWord is c:login { id, … }: { code, session, id }, or nil while there is no answer.
func (c *client) loginWord(v verb.Call) error {
	t, err := verb.Table(v, 0, "login")
	if err != nil {
		return err
	}
	p, err := readLogin(t)
	if err == nil {
		err = c.Login(p)
	}
	if err == nil {
		err = c.settle(v)
	}
	if err != nil {
		return err
	}
	ack := c.Packet(0, mqttwire.Connack)
	if ack == nil {
		v.Return(nil)
		return nil
	}
	id := p.ClientID
	if given, ok := ack.Properties.Get(mqttwire.AssignedClientID); ok {
		id = string(given.Data)
	}
	v.Return([]event.KV{
		{Key: "code", Value: float64(ack.Reason)}, {Key: "session", Value: ack.SessionPresent}, {Key: "id", Value: id},
	})
	return nil
}

func readLogin(t []event.KV) (*mqttwire.Packet, error) {
	p := &mqttwire.Packet{Type: mqttwire.Connect, Version: mqttwire.V311, Clean: true}
	for _, kv := range t {
		var err error
		switch kv.Key {
		case "id":
			err = plain.SetString(&p.ClientID, kv.Value)
		case "version":
			err = plain.SetUint(&p.Version, kv.Value)
		case "clean":
			err = plain.SetBool(&p.Clean, kv.Value)
		case "keep_alive":
			p.KeepAlive, err = seconds[uint16](kv.Value)
		case "user":
			p.HasUser = true
			err = plain.SetString(&p.User, kv.Value)
		case "password":
			p.HasPassword = true
			err = plain.SetBytes(&p.Password, kv.Value)
		case "expiry":
			var n uint32
			n, err = seconds[uint32](kv.Value)
			p.Properties = append(p.Properties, mqttwire.Property{ID: mqttwire.SessionExpiry, Num: n})
		case "will":
			p.Will, err = readWill(kv.Value)
		default:
			err = errors.New("unknown: id, version, clean, keep_alive, user, password, expiry and will are known")
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", kv.Key, err)
		}
	}
	if len(p.Properties) > 0 && p.Version != mqttwire.V5 {
		return nil, errors.New("expiry: needs version = 5")
	}
	return p, nil
}

func seconds[T uint16 | uint32](v any) (T, error) {
	var d time.Duration
	if err := plain.SetDuration(&d, v); err != nil {
		return 0, err
	}
	n := T(d / time.Second)
	if time.Duration(n) != d/time.Second {
		return 0, errors.New("too long")
	}
	return n, nil
}

func readWill(v any) (*mqttwire.Will, error) {
	t, ok := v.([]event.KV)
	if !ok {
		return nil, fmt.Errorf("a table expected, got %s", plain.Describe(v))
	}
	w := &mqttwire.Will{}
	for _, kv := range t {
		var err error
		switch kv.Key {
		case "topic":
			err = plain.SetString(&w.Topic, kv.Value)
		case "payload":
			err = plain.SetBytes(&w.Payload, kv.Value)
		case "qos":
			err = plain.SetUint(&w.QoS, kv.Value)
		case "retain":
			err = plain.SetBool(&w.Retain, kv.Value)
		case "delay":
			var n uint32
			n, err = seconds[uint32](kv.Value)
			w.Properties = append(w.Properties, mqttwire.Property{ID: mqttwire.WillDelay, Num: n})
		default:
			err = errors.New("unknown: topic, payload, qos, retain and delay are known")
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", kv.Key, err)
		}
	}
	return w, nil
}

// subscribeWord is c:subscribe(filter [, qos]): the code that is granted, or nil.
func (c *client) subscribeWord(v verb.Call, ask, ack mqttwire.Type) error {
	f := mqttwire.Filter{}
	var err error
	if f.Topic, err = verb.Text(v, 0, "filter"); err != nil {
		return err
	}
	if a := v.Arg(1); a != nil {
		if err := plain.SetUint(&f.QoS, a); err != nil {
			return fmt.Errorf("qos: %w", err)
		}
	}
	id, err := c.SendPacket(&mqttwire.Packet{Type: ask, Filters: []mqttwire.Filter{f}})
	if err == nil {
		err = c.settle(v)
	}
	if err != nil {
		return err
	}
	p := c.Packet(id, ack)
	switch {
	case p == nil:
		v.Return(nil)
	case len(p.Reasons) == 0: // of UNSUBACK before MQTT 5
		v.Return(0.0)
	default:
		v.Return(float64(p.Reasons[0]))
	}
	return nil
}

// publishWord is c:publish { topic, payload, qos, retain }: the code of its
// acknowledgement, or nil where none came.
func (c *client) publishWord(v verb.Call) error {
	t, err := verb.Table(v, 0, "message")
	if err != nil {
		return err
	}
	p := &mqttwire.Packet{Type: mqttwire.Publish}
	for _, kv := range t {
		switch kv.Key {
		case "topic":
			err = plain.SetString(&p.Topic, kv.Value)
		case "payload":
			err = plain.SetBytes(&p.Payload, kv.Value)
		case "qos":
			err = plain.SetUint(&p.QoS, kv.Value)
		case "retain":
			err = plain.SetBool(&p.Retain, kv.Value)
		default:
			err = errors.New("unknown: topic, payload, qos and retain are known")
		}
		if err != nil {
			return fmt.Errorf("%s: %w", kv.Key, err)
		}
	}
	id, err := c.SendPacket(p)
	if err == nil {
		err = c.settle(v)
	}
	if err != nil {
		return err
	}
	ack := c.Packet(id, mqttwire.Puback, mqttwire.Pubcomp, mqttwire.Pubrec)
	if id == 0 || ack == nil {
		v.Return(nil)
		return nil
	}
	v.Return(float64(ack.Reason))
	return nil
}
