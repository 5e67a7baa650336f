package mqttwire

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// every has a packet of each type, with every property.
func every() []Packet {
	all := func(t Type) (list Properties) {
		for id := PropertyID(0); id < 0x30; id++ {
			if rule, ok := propertyRules[id]; ok && rule.types&(1<<t) != 0 {
				p := Property{ID: id, Num: 1}
				switch rule.kind {
				case kindText, kindData:
					p = Property{ID: id, Data: []byte("text")}
				case kindPair:
					p = Property{ID: id, Name: "name", Data: []byte("value")}
				}
				list = append(list, p)
			}
		}
		return list
	}
	return []Packet{
		{
			Type: Connect, Version: V5, Clean: true, KeepAlive: 60, ClientID: "me", HasUser: true, User: "bob", HasPassword: true, Password: []byte("pw"),
			Will: &Will{Topic: "gone/me", Payload: []byte("x"), QoS: 1, Retain: true, Properties: all(inWill)}, Properties: all(Connect),
		},
		{Type: Connack, SessionPresent: true, Properties: all(Connack)},
		{Type: Publish, QoS: 2, Dup: true, Retain: true, Topic: "a/b", ID: 7, Payload: []byte("hello"), Properties: all(Publish)},
		{Type: Publish, Topic: "a"},
		{Type: Puback, ID: 1, Reason: NoMatchingSubscribers, Properties: all(Puback)},
		{Type: Pubrec, ID: 2},
		{Type: Pubrel, ID: 3, Reason: PacketIDNotFound},
		{Type: Pubcomp, ID: 4},
		{Type: Subscribe, ID: 5, Filters: []Filter{{"a/#", 1, true, true, 2}, {"$share/g/+", 0, false, false, 0}}, Properties: all(Subscribe)},
		{Type: Suback, ID: 5, Reasons: []byte{1, 0x80}},
		{Type: Unsubscribe, ID: 6, Filters: []Filter{{Topic: "a/#"}}},
		{Type: Unsuback, ID: 6, Reasons: []byte{0x11}},
		{Type: Pingreq},
		{Type: Pingresp},
		{Type: Disconnect, Reason: DisconnectWithWill, Properties: all(Disconnect)},
		{Type: Auth, Reason: 0x18, Properties: all(Auth)},
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for _, p := range every() {
		for _, version := range []byte{V5, V311} {
			if version == V311 {
				if p.Type == Auth {
					continue
				}
				p = plain(p)
			}
			b, err := p.Append(nil, version)
			if err != nil {
				t.Fatal(p.Type, err)
			}
			for cut := range len(b) {
				if _, n, err := Parse(b[:cut], version, 0); n != 0 || err != nil {
					t.Errorf("%v cut at %d: %d %v", p.Type, cut, n, err)
				}
			}
			got, n, err := Parse(append(b, "behind"...), version, 0)
			if err != nil || n != len(b) {
				t.Errorf("%v: %d of %d bytes, %v", p.Type, n, len(b), err)
			}
			if d := cmp.Diff(p, got, cmpopts.EquateEmpty()); d != "" {
				t.Errorf("%v of %d: %s", p.Type, version, d)
			}
			if _, _, err := Parse(b, version, 1); !isReason(err, PacketTooLarge) {
				t.Errorf("%v: %v", p.Type, err)
			}
		}
	}
}

// plain returns a packet as it is before MQTT 5.
func plain(p Packet) Packet {
	p.Properties, p.Reason = nil, 0
	if p.Type == Connect {
		w := *p.Will
		w.Properties = nil
		p.Version, p.Will = V311, &w
	}
	if p.Type == Unsuback {
		p.Reasons = nil
	}
	for i, f := range p.Filters {
		p.Filters = slices.Clone(p.Filters)
		p.Filters[i] = Filter{Topic: f.Topic, QoS: f.QoS}
	}
	return p
}

func isReason(err error, reason byte) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Reason == reason
}

// TestRules has what the standards forbid.
func TestRules(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, in string
		version  byte
		want     byte
	}{
		{"type 0", "\x00\x00", V311, MalformedPacket},
		{"flags of PINGREQ", "\xc1\x00", V311, MalformedPacket},
		{"flags of SUBSCRIBE", "\x80\x00", V311, MalformedPacket},
		{"QoS 3", "\x36\x05\x00\x01a\x00\x01", V311, MalformedPacket},
		{"DUP with QoS 0", "\x38\x03\x00\x01a", V311, MalformedPacket},
		{"long length", "\xc0\x80\x00", V311, MalformedPacket},
		{"five bytes of length", "\xc0\xff\xff\xff\xff\x01", V311, MalformedPacket},
		{"body of PINGREQ", "\xc0\x01x", V311, MalformedPacket},
		{"identifier 0", "\x32\x05\x00\x01a\x00\x00", V311, ProtocolError},
		{"wildcard", "\x30\x03\x00\x01#", V311, InvalidTopic},
		{"no topic", "\x30\x02\x00\x00", V311, ProtocolError},
		{"no topic, no alias", "\x30\x03\x00\x00\x00", V5, ProtocolError},
		{"NUL", "\x30\x03\x00\x01\x00", V311, MalformedPacket},
		{"surrogate", "\x30\x05\x00\x03\xed\xa0\x80", V311, MalformedPacket},
		{"no filter", "\x82\x02\x00\x01", V311, ProtocolError},
		{"filter", "\x82\x07\x00\x01\x00\x02#/\x00", V311, InvalidFilter},
		{"QoS of a filter", "\x82\x06\x00\x01\x00\x01a\x03", V311, MalformedPacket},
		{"options before MQTT 5", "\x82\x06\x00\x01\x00\x01a\x04", V311, MalformedPacket},
		{"reserved option", "\x82\x07\x00\x01\x00\x00\x01a\x40", V5, MalformedPacket},
		{"retain handling 3", "\x82\x07\x00\x01\x00\x00\x01a\x30", V5, MalformedPacket},
		{"shared and no local", "\x82\x11\x00\x01\x00\x00\x0b$share/g/ab\x04", V5, ProtocolError},
		{"AUTH before MQTT 5", "\xf0\x00", V311, ProtocolError},
		{"property twice", "\x30\x08\x00\x01a\x04\x01\x00\x01\x00", V5, ProtocolError},
		{"property of another", "\x30\x06\x00\x01a\x02\x24\x01", V5, ProtocolError},
		{"property unknown", "\x30\x06\x00\x01a\x02\x7f\x01", V5, MalformedPacket},
		{"property cut", "\x30\x05\x00\x01a\x01\x01", V5, MalformedPacket},
		{"alias 0", "\x30\x07\x00\x01a\x03\x23\x00\x00", V5, ProtocolError},
		{"protocol name", "\x10\x0c\x00\x04MQTS\x04\x02\x00\x00\x00\x00", 0, MalformedPacket},
		{"protocol version", "\x10\x0c\x00\x04MQTT\x06\x02\x00\x00\x00\x00", 0, UnsupportedVersion},
		{"reserved flag", "\x10\x0c\x00\x04MQTT\x04\x03\x00\x00\x00\x00", 0, MalformedPacket},
		{"will flags", "\x10\x0c\x00\x04MQTT\x04\x0a\x00\x00\x00\x00", 0, MalformedPacket},
		{"password alone", "\x10\x0f\x00\x04MQTT\x04\x42\x00\x00\x00\x00\x00\x01p", 0, MalformedPacket},
		{"no identifier, not clean", "\x10\x0c\x00\x04MQTT\x04\x00\x00\x00\x00\x00", 0, BadClientID},
	} {
		if _, _, err := Parse([]byte(c.in), c.version, 0); !isReason(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestTopics(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		filter, topic string
		want          bool
	}{
		{"sport/tennis/player1/#", "sport/tennis/player1", true},
		{"sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true},
		{"sport/#", "sport", true},
		{"#", "a/b", true},
		{"sport/tennis/+", "sport/tennis/player1", true},
		{"sport/tennis/+", "sport/tennis/player1/ranking", false},
		{"sport/+", "sport", false},
		{"sport/+", "sport/", true},
		{"+/+", "/finance", true},
		{"/+", "/finance", true},
		{"+", "/finance", false},
		{"#", "$SYS/x", false},
		{"+/x", "$SYS/x", false},
		{"$SYS/#", "$SYS/x", true},
		{"a", "a", true},
		{"a", "A", false},
		{"a/b", "a", false},
		{"a", "a/b", false},
		{"a//b", "a//b", true},
		{"a/+/b", "a//b", true},
	} {
		if got := Match(c.filter, c.topic); got != c.want {
			t.Errorf("%s %s: %v", c.filter, c.topic, got)
		}
	}
	for filter, want := range map[string]bool{
		"a": true, "#": true, "+": true, "a/#": true, "/": true, "a/+/b": true, "$share/g/a/#": true,
		"": false, "a#": false, "a/#/b": false, "a+": false, "$share/g": false, "$share//a": false, "$share/+/a": false, "$share/g/": false, "a\x00": false,
	} {
		if ValidFilter(filter) != want {
			t.Errorf("%q: %v", filter, !want)
		}
	}
	if g, f := SplitShared("$share/g/a/b"); g != "g" || f != "a/b" {
		t.Error(g, f)
	}
}

// row is a packet of the corpus.
type row struct {
	ID, Type, Desc, Group, RawHex, FailFirst string
	Version                                  byte
	Fields                                   map[string]any
}

func corpus(t testing.TB) (rows []row) {
	dir := os.Getenv("HOOKD_CORPORA")
	if dir == "" {
		dir = "../../../../shared/corpora/public"
	}
	text, err := os.ReadFile(filepath.Join(dir, "mqtt", "mochi-packets.jsonl"))
	if err != nil {
		return nil
	}
	for line := range bytes.Lines(text) {
		var r row
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, r)
	}
	return rows
}

// TestCorpus has packets that others test with.
func TestCorpus(t *testing.T) {
	t.Parallel()
	rows := corpus(t)
	if len(rows) == 0 {
		t.Skip("corpora absent: set HOOKD_CORPORA")
	}
	// What its source takes and the standards forbid: a session that is present and refused
	// (MQTT-3.2.2-4), and a duplicate of what is sent once (MQTT-3.3.1-2).
	forbidden := []string{"02-009", "02-010", "02-015", "03-015"}
	taken, refused := 0, 0
	for _, r := range rows {
		raw, err := hex.DecodeString(r.RawHex)
		if err != nil || len(raw) == 0 {
			continue
		}
		p, n, err := Parse(raw, r.Version, 0)
		if slices.Contains(forbidden, r.ID) {
			if err == nil {
				t.Errorf("%s is taken", r.ID)
			}
		} else if r.Group == "" {
			// What its source reads as a whole packet.
			if err != nil || n != len(raw) || !strings.EqualFold(p.Type.String(), r.Type) {
				t.Errorf("%s %s %s: %d of %d bytes, %v", r.ID, r.Type, r.Desc, n, len(raw), err)
				continue
			}
			taken++
			r.compare(t, &p)
			out, err := p.Append(nil, r.Version)
			if again, _, perr := Parse(out, r.Version, 0); err != nil || perr != nil {
				t.Errorf("%s: written again: %v %v", r.ID, err, perr)
			} else if d := cmp.Diff(p, again, cmpopts.EquateEmpty()); d != "" {
				t.Errorf("%s: %s", r.ID, d)
			}
		} else if r.FailFirst != "" {
			if err == nil && n > 0 && n == len(raw) {
				t.Errorf("%s %s %s: taken: %+v", r.ID, r.Type, r.Desc, p)
			}
			refused++
		}
	}
	t.Logf("%d taken, %d refused or not whole", taken, refused)
	if taken < 45 || refused < 30 {
		t.Error("the corpus is another")
	}
}

// compare looks at what the corpus says about a packet.
func (r *row) compare(t *testing.T, p *Packet) {
	for name, got := range map[string]any{
		"fh_dup": p.Dup, "fh_qos": float64(p.QoS), "fh_retain": p.Retain, "clean": p.Clean, "keepalive": float64(p.KeepAlive),
		"client_id": p.ClientID, "topic": p.Topic, "packet_id": float64(p.ID),
	} {
		if want, ok := r.Fields[name]; ok && want != got && (name != "fh_qos" || p.Type == Publish) {
			t.Errorf("%s: %s is %v, want %v", r.ID, name, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, p := range every() {
		b, _ := p.Append(nil, V5)
		f.Add(b, byte(V5))
		if p.Type != Auth {
			p = plain(p)
			b, _ = p.Append(nil, V311)
			f.Add(b, byte(V311))
		}
	}
	for _, r := range corpus(f) {
		if raw, err := hex.DecodeString(r.RawHex); err == nil {
			f.Add(raw, r.Version)
		}
	}
	f.Fuzz(func(t *testing.T, in []byte, version byte) {
		before := bytes.Clone(in)
		p, n, err := Parse(in, version, 1<<20)
		if !bytes.Equal(before, in) || n > len(in) {
			t.Fatal("changed", n)
		}
		if err != nil || n == 0 {
			return
		}
		if _, m, err := Parse(in[:n-1], version, 1<<20); m != 0 || err != nil {
			t.Fatalf("whole without its last byte: %v", err)
		}
		out, err := p.Append(nil, version)
		if err != nil {
			t.Fatal(err)
		}
		again, m, err := Parse(out, version, 0)
		if err != nil || m != len(out) {
			t.Fatalf("%x: %v", out, err)
		}
		if d := cmp.Diff(p, again, cmpopts.EquateEmpty()); d != "" {
			t.Fatal(d)
		}
	})
}

func FuzzTopics(f *testing.F) {
	f.Add("a/+/#", "a/b/c")
	f.Add("$share/g/a", "a")
	f.Fuzz(func(t *testing.T, filter, topic string) {
		if ValidFilter(filter) && ValidTopic(topic) && !strings.HasPrefix(topic, "$") && !Match("#", topic) {
			t.Fatal(topic)
		}
		if Match(filter, topic) && ValidTopic(filter) && filter != topic {
			t.Fatalf("%q matches %q", filter, topic)
		}
	})
}
