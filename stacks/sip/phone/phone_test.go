package phone

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/stacks/sip"
	"github.com/hookd/hookd/stacks/sip/edge"
)

// TestBounds fills a switchboard.
func TestBounds(t *testing.T) {
	t.Parallel()
	set := event.NewShards(1, event.Together, 0)
	now := int64(0)
	b := New(sip.Config{}, func() int64 { now += 1e6; return now })
	if err := b.Start(set); err != nil {
		t.Fatal(err)
	}
	change, errs := b.Group().Prepare([]edge.Listen{{Name: "edge", Options: []event.KV{{Key: "url", Value: "udp://192.0.2.100:5060"}}}})
	if change == nil {
		t.Fatal(errs)
	}
	change.Commit()
	sh := set.At(0)
	sh.Enter()
	defer sh.Leave()
	defer b.Close()
	at := netip.MustParseAddr("10.0.0.0")
	var last *Phone
	for range MaxPhones {
		at = at.Next()
		p, err := b.Phone(Config{Addr: netip.AddrPortFrom(at, 5060), Transport: sipev.TransportUDP})
		if err != nil {
			t.Fatal(err)
		}
		last = p
	}
	if _, err := b.Phone(Config{Addr: netip.MustParseAddrPort("192.0.2.1:1"), Transport: sipev.TransportUDP}); !errors.Is(err, ErrPhones) {
		t.Error(err)
	}
	m, err := last.Send(Request{Method: "OPTIONS", URI: "sip:x@192.0.2.100"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := last.Expect("", 404)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := m.Again(); err != nil {
			t.Fatal(err)
		}
	}
	if len(last.inbox) != 0 || got.copies != 3 {
		t.Errorf("%d wait, %d copies", len(last.inbox), got.copies)
	}
	b.kept = MaxMessages
	if _, err := last.Send(Request{Method: "OPTIONS", URI: "sip:x@192.0.2.100"}); !errors.Is(err, ErrMessages) {
		t.Error(err)
	}
	if err := last.Raw([]byte("OPTIONS sip:x@192.0.2.100 SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bKx\r\nCSeq: 1 OPTIONS\r\n\r\n")); !errors.Is(err, ErrMessages) {
		t.Error(err)
	}
}
