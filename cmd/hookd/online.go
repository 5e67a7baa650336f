package main

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/loopev"
	"github.com/hookd/hookd/stacks/loop"
)

// online asks the network for the scripts of a replay: what waits for an answer of
// http, dns or sntp gets it at the packet at which it asked, however long that takes
// by the clock of the machine. So the loops that ask have shards of their own, whose
// time is that clock; no rule is bound there.
//
// It belongs to the goroutine of a replay whose shards are driven together.
type online struct {
	loopev.Functions // of loops that open nothing: a replay neither listens nor dials
	shards           *event.Shards
	loops            *loop.Group
	asks             []*question
	end              func() error
}

// question is what a script waits for.
type question struct {
	begin  func(by *event.Caller, done func(any, error))
	done   func(any, error)
	shard  *event.Shard // of the script
	script string
	gone   bool // nobody waits any more
	waiter event.Waiter
	answer any
	err    error
}

// goOnline starts the loops that ask. Close ends them.
func goOnline() (*online, error) {
	o := &online{Functions: newLoops(loop.Config{}), shards: event.NewShards(1, event.Together, 0), loops: newLoops(loop.Config{})}
	if err := o.loops.Start(o.shards); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- o.loops.Run(ctx) }()
	o.end = func() error {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			return err
		}
		return nil
	}
	return o, nil
}

// Close ends what is under way, and waits for it.
func (o *online) Close() error { return o.end() }

// ask notes a question; [online.settle] asks it.
func (o *online) ask(by *event.Caller, done func(any, error), begin func(*event.Caller, func(any, error))) {
	q := &question{begin: begin, done: done, shard: by.Shard, script: by.Script}
	by.Waiter.OnCancel(func() { q.gone = true })
	o.asks = append(o.asks, q)
}

// settle asks what scripts want to know, at the same time, and gives them the answers
// in the order in which they asked, until they want nothing more or ctx ends. It is
// called between two entries of the replay's shards.
func (o *online) settle(ctx context.Context) {
	for len(o.asks) > 0 {
		asks := o.asks
		o.asks = nil
		o.answers(ctx, asks)
		for _, q := range asks {
			q.shard.Enter()
			if !q.gone {
				q.done(q.answer, q.err)
			}
			q.shard.Leave()
		}
	}
}

// answers returns when each question has its answer, or ctx ended.
func (o *online) answers(ctx context.Context, asks []*question) {
	sh := o.shards.At(0)
	asks = slices.DeleteFunc(slices.Clone(asks), func(q *question) bool { return q.gone })
	var open sync.WaitGroup
	open.Add(len(asks))
	sh.Enter()
	for _, q := range asks {
		q.begin(&event.Caller{Shard: sh, Script: q.script, Waiter: &q.waiter}, func(answer any, err error) {
			if q.waiter.Over() {
				return
			}
			q.waiter.End()
			q.answer, q.err = answer, err
			open.Done()
		})
	}
	sh.Leave()
	cut := make(chan struct{})
	over := context.AfterFunc(ctx, func() {
		defer close(cut)
		sh.Enter()
		defer sh.Leave()
		for _, q := range asks {
			if !q.waiter.Over() {
				q.err = errInterrupted
				q.waiter.Cancel()
				open.Done()
			}
		}
	})
	open.Wait()
	if !over() {
		<-cut
	}
}

// HTTPGet implements [loopev.Functions].
func (o *online) HTTPGet(by *event.Caller, url string, headers any, timeout time.Duration, hasTimeout bool, redirects uint32, hasRedirects bool, most int64, hasMax bool, tls any, done func(any, error)) {
	o.ask(by, done, func(by *event.Caller, done func(any, error)) {
		o.loops.HTTPGet(by, url, headers, timeout, hasTimeout, redirects, hasRedirects, most, hasMax, tls, done)
	})
}

// HTTPPost implements [loopev.Functions].
func (o *online) HTTPPost(by *event.Caller, url string, body []byte, headers any, timeout time.Duration, hasTimeout bool, redirects uint32, hasRedirects bool, most int64, hasMax bool, tls any, done func(any, error)) {
	body = append([]byte(nil), body...)
	o.ask(by, done, func(by *event.Caller, done func(any, error)) {
		o.loops.HTTPPost(by, url, body, headers, timeout, hasTimeout, redirects, hasRedirects, most, hasMax, tls, done)
	})
}

// HTTPRequest implements [loopev.Functions].
func (o *online) HTTPRequest(by *event.Caller, url, method string, body []byte, headers any, timeout time.Duration, hasTimeout bool, redirects uint32, hasRedirects bool, most int64, hasMax bool, tls any, done func(any, error)) {
	body = append([]byte(nil), body...)
	o.ask(by, done, func(by *event.Caller, done func(any, error)) {
		o.loops.HTTPRequest(by, url, method, body, headers, timeout, hasTimeout, redirects, hasRedirects, most, hasMax, tls, done)
	})
}

// DNSLookup implements [loopev.Functions].
func (o *online) DNSLookup(by *event.Caller, name, kind string, done func(any, error)) {
	o.ask(by, done, func(by *event.Caller, done func(any, error)) { o.loops.DNSLookup(by, name, kind, done) })
}

// SntpTime implements [loopev.Functions].
func (o *online) SntpTime(by *event.Caller, server string, done func(any, error)) {
	o.ask(by, done, func(by *event.Caller, done func(any, error)) { o.loops.SntpTime(by, server, done) })
}
