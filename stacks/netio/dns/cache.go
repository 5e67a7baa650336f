package dns

import (
	"container/list"
	"time"
)

// key is what is asked for; the name is folded.
type key struct {
	name string
	typ  Type
}

// cached is what is remembered about a question.
type cached struct {
	key   key
	ans   Answer
	until int64 // event time
}

// cache remembers answers, at most max of them; one more forgets the one that was
// not asked for the longest.
type cache struct {
	max     int
	entries map[key]*list.Element
	order   list.List // the latest asked for first
}

func (c *cache) get(k key, now int64) (Answer, bool) {
	e, ok := c.entries[k]
	if !ok {
		return Answer{}, false
	}
	x := e.Value.(*cached)
	if now >= x.until {
		c.drop(e)
		return Answer{}, false
	}
	c.order.MoveToFront(e)
	ans := x.ans
	ans.Cached = true
	ans.TTL = time.Duration(x.until - now)
	return ans, true
}

func (c *cache) put(k key, ans Answer, now int64) {
	if ans.TTL <= 0 || c.max <= 0 {
		return
	}
	if c.entries == nil {
		c.entries = map[key]*list.Element{}
	}
	x := &cached{key: k, ans: ans, until: now + int64(ans.TTL)}
	if e, ok := c.entries[k]; ok {
		e.Value = x
		c.order.MoveToFront(e)
		return
	}
	if c.order.Len() >= c.max {
		c.drop(c.order.Back())
	}
	c.entries[k] = c.order.PushFront(x)
}

func (c *cache) drop(e *list.Element) {
	delete(c.entries, e.Value.(*cached).key)
	c.order.Remove(e)
}

func (c *cache) clear() {
	c.entries = nil
	c.order.Init()
}
