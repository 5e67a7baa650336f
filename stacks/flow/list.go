package flow

// links chain a T into a list.
type links[T any] struct{ prev, next *T }

// list is a doubly linked list through one of its members' links.
type list[T any] struct {
	first, last *T
	n           int
	of          func(*T) *links[T]
}

func (l *list[T]) push(c *T) {
	at := l.of(c)
	at.prev, at.next = l.last, nil
	if l.last == nil {
		l.first = c
	} else {
		l.of(l.last).next = c
	}
	l.last = c
	l.n++
}

func (l *list[T]) remove(c *T) {
	at := l.of(c)
	if at.prev == nil {
		l.first = at.next
	} else {
		l.of(at.prev).next = at.next
	}
	if at.next == nil {
		l.last = at.prev
	} else {
		l.of(at.next).prev = at.prev
	}
	*at = links[T]{}
	l.n--
}
