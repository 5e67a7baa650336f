package sip

import (
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/sipev"
)

// events are the structs that hook points are raised with, filled anew each time.
type events struct {
	requestFwded     sipev.RequestFwded
	requestPending   sipev.RequestPending
	requestOut       sipev.RequestOut
	requestSent      sipev.RequestSent
	responseIn       sipev.ResponseIn
	responseFwded    sipev.ResponseFwded
	onBranchFailure  sipev.OnBranchFailure
	onFailureRo      sipev.OnFailureRo
	responseReady    sipev.ResponseReady
	responsePreOut   sipev.ResponsePreOut
	responseOut      sipev.ResponseOut
	responseSent     sipev.ResponseSent
	e2eackIn         sipev.E2eackIn
	e2eackRetrIn     sipev.E2eackRetrIn
	ackNegIn         sipev.AckNegIn
	reqRetrIn        sipev.ReqRetrIn
	e2ecancelIn      sipev.E2ecancelIn
	unrouted         sipev.Unrouted
	silent           sipev.Silent
	destroy          sipev.Destroy
	localRequestIn   sipev.LocalRequestIn
	localResponseIn  sipev.LocalResponseIn
	localResponseOut sipev.LocalResponseOut
	localCompleted   sipev.LocalCompleted
}

// show makes bytes that are written readable; nil where they cannot be read.
func (s *Stack) show(b []byte, by sipev.FakedBy) *Message {
	if s.shown.load(b, Hop{}, s.replyLimits()) != nil {
		return nil
	}
	s.shown.fakedBy = by
	return &s.shown
}

func (t *Tx) raiseRequestPending(m *Message) {
	s := t.stack
	if sipev.OnRequestPending.Wanted(s.shard) {
		s.ev.requestPending = sipev.RequestPending{Tx: t, M: m}
		sipev.OnRequestPending.Emit(s.shard, &s.ev.requestPending)
	}
}

func (t *Tx) raiseOnFailureRo(m *Message) {
	s := t.stack
	if sipev.OnOnFailureRo.Wanted(s.shard) {
		s.ev.onFailureRo = sipev.OnFailureRo{Tx: t, M: m}
		sipev.OnOnFailureRo.Emit(s.shard, &s.ev.onFailureRo)
	}
}

func (t *Tx) raiseE2eackIn(m *Message) {
	s := t.stack
	if sipev.OnE2eackIn.Wanted(s.shard) {
		s.ev.e2eackIn = sipev.E2eackIn{Tx: t, M: m}
		sipev.OnE2eackIn.Emit(s.shard, &s.ev.e2eackIn)
	}
}

func (t *Tx) raiseE2eackRetrIn(m *Message) {
	s := t.stack
	if sipev.OnE2eackRetrIn.Wanted(s.shard) {
		s.ev.e2eackRetrIn = sipev.E2eackRetrIn{Tx: t, M: m}
		sipev.OnE2eackRetrIn.Emit(s.shard, &s.ev.e2eackRetrIn)
	}
}

func (t *Tx) raiseAckNegIn(m *Message) {
	s := t.stack
	if sipev.OnAckNegIn.Wanted(s.shard) {
		s.ev.ackNegIn = sipev.AckNegIn{Tx: t, M: m}
		sipev.OnAckNegIn.Emit(s.shard, &s.ev.ackNegIn)
	}
}

func (t *Tx) raiseReqRetrIn(m *Message) {
	s := t.stack
	if sipev.OnReqRetrIn.Wanted(s.shard) {
		s.ev.reqRetrIn = sipev.ReqRetrIn{Tx: t, M: m}
		sipev.OnReqRetrIn.Emit(s.shard, &s.ev.reqRetrIn)
	}
}

func (t *Tx) raiseE2ecancelIn(m *Message) {
	s := t.stack
	if sipev.OnE2ecancelIn.Wanted(s.shard) {
		s.ev.e2ecancelIn = sipev.E2ecancelIn{Tx: t, M: m}
		sipev.OnE2ecancelIn.Emit(s.shard, &s.ev.e2ecancelIn)
	}
}

func (t *Tx) raiseUnrouted(m *Message) {
	s := t.stack
	if sipev.OnUnrouted.Wanted(s.shard) {
		s.ev.unrouted = sipev.Unrouted{Tx: t, M: m}
		sipev.OnUnrouted.Emit(s.shard, &s.ev.unrouted)
	}
}

func (t *Tx) raiseSilent() {
	s := t.stack
	if sipev.OnSilent.Wanted(s.shard) {
		s.ev.silent = sipev.Silent{Tx: t}
		sipev.OnSilent.Emit(s.shard, &s.ev.silent)
	}
}

func (t *Tx) raiseDestroy() {
	s := t.stack
	if sipev.OnDestroy.Wanted(s.shard) {
		s.ev.destroy = sipev.Destroy{Tx: t}
		sipev.OnDestroy.Emit(s.shard, &s.ev.destroy)
	}
}

func (t *Tx) raiseResponseReady(out []byte, by sipev.FakedBy) {
	s := t.stack
	if sipev.OnResponseReady.Wanted(s.shard) {
		s.ev.responseReady = sipev.ResponseReady{Tx: t, M: s.show(out, by)}
		sipev.OnResponseReady.Emit(s.shard, &s.ev.responseReady)
	}
}

func (t *Tx) raiseResponsePreOut(out []byte, by sipev.FakedBy) {
	s := t.stack
	if sipev.OnResponsePreOut.Wanted(s.shard) {
		s.ev.responsePreOut = sipev.ResponsePreOut{Tx: t, M: s.show(out, by)}
		sipev.OnResponsePreOut.Emit(s.shard, &s.ev.responsePreOut)
	}
}

func (t *Tx) raiseResponseOut(out []byte, by sipev.FakedBy) {
	s := t.stack
	if sipev.OnResponseOut.Wanted(s.shard) {
		s.ev.responseOut = sipev.ResponseOut{Tx: t, M: s.show(out, by)}
		sipev.OnResponseOut.Emit(s.shard, &s.ev.responseOut)
	}
}

func (t *Tx) raiseResponseSent(out []byte, again bool) {
	s := t.stack
	if sipev.OnResponseSent.Wanted(s.shard) {
		by := sipev.FakedByNone
		if t.local || t.code == 100 {
			by = sipev.FakedByLocal
		}
		s.ev.responseSent = sipev.ResponseSent{Tx: t, M: s.show(out, by), Copy: again}
		sipev.OnResponseSent.Emit(s.shard, &s.ev.responseSent)
	}
}

func (b *Branch) raiseRequestFwded(m *Message) event.Verdict {
	s := b.tx.stack
	if !sipev.OnRequestFwded.Wanted(s.shard) {
		return event.Verdict{}
	}
	s.ev.requestFwded = sipev.RequestFwded{Tx: b.tx, M: m, B: b, Branch: b.index}
	return sipev.OnRequestFwded.Emit(s.shard, &s.ev.requestFwded)
}

func (b *Branch) raiseResponseIn(m *Message) event.Verdict {
	s := b.tx.stack
	if !sipev.OnResponseIn.Wanted(s.shard) {
		return event.Verdict{}
	}
	s.ev.responseIn = sipev.ResponseIn{Tx: b.tx, M: m, B: b, Branch: b.index}
	return sipev.OnResponseIn.Emit(s.shard, &s.ev.responseIn)
}

func (b *Branch) raiseResponseFwded(m *Message) {
	s := b.tx.stack
	if sipev.OnResponseFwded.Wanted(s.shard) {
		s.ev.responseFwded = sipev.ResponseFwded{Tx: b.tx, M: m, B: b, Branch: b.index}
		sipev.OnResponseFwded.Emit(s.shard, &s.ev.responseFwded)
	}
}

func (b *Branch) raiseOnBranchFailure(m *Message) {
	s := b.tx.stack
	if sipev.OnOnBranchFailure.Wanted(s.shard) {
		s.ev.onBranchFailure = sipev.OnBranchFailure{Tx: b.tx, M: m, B: b, Branch: b.index}
		sipev.OnOnBranchFailure.Emit(s.shard, &s.ev.onBranchFailure)
	}
}

func (b *Branch) raiseRequestOut() {
	s := b.tx.stack
	if sipev.OnRequestOut.Wanted(s.shard) {
		s.ev.requestOut = sipev.RequestOut{Tx: b.tx, M: s.show(b.out, sipev.FakedByNone), B: b, Branch: b.index}
		sipev.OnRequestOut.Emit(s.shard, &s.ev.requestOut)
	}
}

func (b *Branch) raiseRequestSent(out []byte, again bool) {
	s := b.tx.stack
	if sipev.OnRequestSent.Wanted(s.shard) {
		s.ev.requestSent = sipev.RequestSent{Tx: b.tx, M: s.show(out, sipev.FakedByNone), B: b, Branch: b.index, Copy: again}
		sipev.OnRequestSent.Emit(s.shard, &s.ev.requestSent)
	}
}

func (t *Tx) raiseLocalRequestIn(m *Message) {
	s := t.stack
	if sipev.OnLocalRequestIn.Wanted(s.shard) {
		s.ev.localRequestIn = sipev.LocalRequestIn{Tx: t, M: m}
		sipev.OnLocalRequestIn.Emit(s.shard, &s.ev.localRequestIn)
	}
}

func (t *Tx) raiseLocalResponseIn(m *Message) {
	s := t.stack
	if sipev.OnLocalResponseIn.Wanted(s.shard) {
		s.ev.localResponseIn = sipev.LocalResponseIn{Tx: t, M: m}
		sipev.OnLocalResponseIn.Emit(s.shard, &s.ev.localResponseIn)
	}
}

func (t *Tx) raiseLocalResponseOut(m *Message) {
	s := t.stack
	if sipev.OnLocalResponseOut.Wanted(s.shard) {
		s.ev.localResponseOut = sipev.LocalResponseOut{Tx: t, M: m}
		sipev.OnLocalResponseOut.Emit(s.shard, &s.ev.localResponseOut)
	}
}

func (t *Tx) raiseLocalCompleted(m *Message) {
	s := t.stack
	if sipev.OnLocalCompleted.Wanted(s.shard) {
		s.ev.localCompleted = sipev.LocalCompleted{Tx: t, M: m}
		sipev.OnLocalCompleted.Emit(s.shard, &s.ev.localCompleted)
	}
}
