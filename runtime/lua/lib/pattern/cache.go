package pattern

import "strings"

const (
	// DefaultCacheSize is the number of patterns a [Cache] keeps unless told
	// otherwise.
	DefaultCacheSize = 256
	// MaxCached is the length in bytes of the longest pattern that a [Cache]
	// keeps; a longer one is compiled each time, so that a script that builds
	// patterns cannot make its cache large.
	MaxCached = 1024
)

// Cache keeps the patterns used last. It belongs to one goroutine.
type Cache struct {
	max     int
	byKey   map[cacheKey]*cacheEntry
	head    *cacheEntry // used last
	tail    *cacheEntry // the next to go
	evicted uint64
}

type cacheKey struct {
	src      string
	iterated bool
}

type cacheEntry struct {
	key        cacheKey
	pat        *Pattern
	prev, next *cacheEntry
}

// NewCache returns a cache of max patterns, [DefaultCacheSize] when max is not
// positive.
func NewCache(max int) *Cache {
	if max <= 0 {
		max = DefaultCacheSize
	}
	return &Cache{max: max, byKey: make(map[cacheKey]*cacheEntry)}
}

// Get returns what [Compile] does.
func (c *Cache) Get(src string) *Pattern { return c.get(cacheKey{src: src}) }

// GetIterated returns what [CompileIterated] does.
func (c *Cache) GetIterated(src string) *Pattern {
	return c.get(cacheKey{src: src, iterated: true})
}

// Len returns the number of patterns kept now.
func (c *Cache) Len() int { return len(c.byKey) }

// Evicted returns how many patterns had to make place for others so far.
func (c *Cache) Evicted() uint64 { return c.evicted }

func (c *Cache) get(key cacheKey) *Pattern {
	if c.head != nil && c.head.key == key {
		return c.head.pat
	}
	e := c.byKey[key]
	if e == nil {
		p := key.compile()
		if len(key.src) <= MaxCached {
			c.insert(key, p)
		}
		return p
	}
	c.unlink(e)
	c.pushFront(e)
	return e.pat
}

func (k cacheKey) compile() *Pattern {
	if k.iterated {
		return CompileIterated(k.src)
	}
	return Compile(k.src)
}

func (c *Cache) insert(key cacheKey, p *Pattern) {
	e := c.tail
	if len(c.byKey) >= c.max {
		c.evicted++
		c.unlink(e)
		delete(c.byKey, e.key)
	} else {
		e = &cacheEntry{}
	}
	key.src = strings.Clone(key.src) // which may be a small part of a large string
	e.key, e.pat = key, p
	c.byKey[key] = e
	c.pushFront(e)
}

func (c *Cache) pushFront(e *cacheEntry) {
	e.prev, e.next = nil, c.head
	if c.head != nil {
		c.head.prev = e
	} else {
		c.tail = e
	}
	c.head = e
}

func (c *Cache) unlink(e *cacheEntry) {
	if e.prev != nil {
		e.prev.next = e.next
	} else {
		c.head = e.next
	}
	if e.next != nil {
		e.next.prev = e.prev
	} else {
		c.tail = e.prev
	}
}
