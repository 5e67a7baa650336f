package msg

import (
	"strings"
	"testing"
)

// TestEqualURI has the examples of RFC 3261, 19.1.4, and RFC 3966, 5.
func TestEqualURI(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		a, b string
		same bool
	}{
		{"sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp", true},
		{"sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5", true},
		{"sip:carol@chicago.com;security=on", "sip:carol@chicago.com;newparam=5", true},
		{"sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com", "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com", true},
		{"sip:alice@atlanta.com?subject=project%20x&priority=urgent", "sip:alice@atlanta.com?priority=urgent&subject=project%20x", true},
		{"SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP", false},
		{"sip:bob@biloxi.com", "sip:bob@biloxi.com:5060", false},
		{"sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp", false},
		{"sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp", false},
		{"sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting", false},
		{"sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4", false},
		{"sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off", false},
		{"sip:a@b", "sips:a@b", false},
		{"sip:a:pw@b", "sip:a@b", false},
		{"sip:@b", "sip:b", false},
		{"tel:+1-201-555-0123", "tel:+12015550123", true},
		{"tel:7042;phone-context=example.com", "tel:7042;PHONE-context=Example.com", true},
		{"tel:863-1234;phone-context=+1-914-555", "tel:8631234;phone-context=+1914555", true},
		{"tel:+1201;ext=12", "tel:+1201", false},
		{"tel:+1201;ext=1-2;isub=a", "tel:+1201;isub=A;ext=12", true},
		{"urn:x", "urn:x", true},
		{"urn:x", "urn:X", false},
		{"sip:b" + strings.Repeat(";a", 100), "sip:b" + strings.Repeat(";a", 100), true},
		{"sip:b" + strings.Repeat(";a", 100), "sip:B" + strings.Repeat(";a", 100), false},
	} {
		if EqualURI([]byte(row.a), []byte(row.b)) != row.same || EqualURI([]byte(row.b), []byte(row.a)) != row.same {
			t.Errorf("%s, %s: the same %v", row.a, row.b, !row.same)
		}
	}
}

func TestParseURI(t *testing.T) {
	t.Parallel()
	u, err := ParseURI([]byte("sips:alice;day=tuesday:p%40w@[2001:db8::1]:5061;maddr=239.255.255.1;lr?a=b"))
	if err != nil || u.Scheme != SIPS || string(u.User) != "alice;day=tuesday" || string(u.Password) != "p%40w" ||
		string(u.Host) != "[2001:db8::1]" || u.Port != 5061 || string(u.Headers) != "a=b" {
		t.Errorf("%+v, %v", u, err)
	}
	if v, ok := u.Param("MADDR"); !ok || string(v) != "239.255.255.1" {
		t.Errorf("maddr is %s", v)
	}
	if v, ok := u.Param("lr"); !ok || v != nil {
		t.Errorf("lr is %q, %v", v, ok)
	}
	for _, text := range []string{
		"", "sip", ":a", "sip:", "sip:@", "sip:a@", "sip:a@b@c", "sip:a b", "sip:a:x", "sip:a:70000", "sip:[::1", "sip:a%4@b", "sip:a%zz@b",
		"sip:a;", "sip:a;;b", "1sip:a", "tel:", "tel:abc", "tel:+", "tel:7042", "tel:+1x",
	} {
		if u, err := ParseURI([]byte(text)); err == nil {
			t.Errorf("%q is %+v", text, u)
		}
	}
}
