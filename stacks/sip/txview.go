package sip

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/stacks/sip/msg"
)

// ID implements [event.Kept].
func (t *Tx) ID() uint64 { return t.id }

// Label implements [event.Kept].
func (t *Tx) Label() string { return fmt.Sprintf("transaction %d", t.id) }

// Ended implements [event.Kept].
func (t *Tx) Ended() bool { return t.state == terminated }

// Slots implements [event.Kept].
func (t *Tx) Slots() *event.Slots { return &t.slots }

// Shard returns the shard that the transaction is in.
func (t *Tx) Shard() *event.Shard { return t.stack.shard }

// Method implements [sipev.Tx].
func (t *Tx) Method() string {
	if t.method != msg.OtherMethod {
		return t.method.String()
	}
	return string(t.look().MethodText())
}

// CallID implements [sipev.Tx].
func (t *Tx) CallID() string { return string(t.look().CallID()) }

// look is [Tx.view] for what a script reads, also when the transaction has ended: then
// nothing of it is kept.
func (t *Tx) look() *Message {
	if t.state != terminated {
		return t.view()
	}
	m := &t.stack.past
	if m.load(t.raw, t.source.Hop, t.stack.replyLimits()) != nil {
		return &Message{}
	}
	return m
}

// IsLocal implements [sipev.Tx].
func (t *Tx) IsLocal() bool { return t.mine }

// Source implements [sipev.Tx].
func (t *Tx) Source() sipev.Hop { return &t.source }

// RURI implements [sipev.Tx].
func (t *Tx) RURI() sipev.URI { return t.look().RURI() }

// From implements [sipev.Tx].
func (t *Tx) From() sipev.Address { return t.look().From() }

// To implements [sipev.Tx].
func (t *Tx) To() sipev.Address { return t.look().To() }

// Request implements [sipev.Tx].
func (t *Tx) Request() sipev.Message {
	if t.mine {
		return nil
	}
	return t.look()
}

// Code implements [sipev.Tx].
func (t *Tx) Code() uint16 { return uint16(t.code) }

// Branches implements [sipev.Tx].
func (t *Tx) Branches() uint8 { return uint8(len(t.branches)) }

// Canceled implements [sipev.Tx].
func (t *Tx) Canceled() bool { return t.cancel }

// Picked implements [sipev.Tx].
func (t *Tx) Picked() sipev.Message {
	if t.picked == nil {
		return nil
	}
	return t.picked
}

// FrTimer implements [sipev.Tx].
func (t *Tx) FrTimer() time.Duration { return t.fr }

// FrInvTimer implements [sipev.Tx].
func (t *Tx) FrInvTimer() time.Duration { return t.frInv }

// MaxLifetime implements [sipev.Tx].
func (t *Tx) MaxLifetime() time.Duration { return t.maxLife }

// NoisyCtimer implements [sipev.Tx].
func (t *Tx) NoisyCtimer() bool { return t.noisy }

var errTime = errors.New("a time from 1 ms to 24 h expected")

// setTime sets one of a transaction's times.
func setTime(to *time.Duration, d time.Duration) error {
	if d < time.Millisecond || d > 24*time.Hour {
		return errTime
	}
	*to = d
	return nil
}

// plainText writes a plain value as a header field's.
func plainText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case bool:
		return fmt.Sprint(v)
	default:
		return "\n" // nothing that a header field can hold
	}
}

var (
	_ sipev.Tx      = (*Tx)(nil)
	_ sipev.Message = (*Message)(nil)
	_ sipev.Branch  = (*Branch)(nil)
	_ sipev.Hop     = (*hop)(nil)
)
