package mqtt

import "strings"

// level is a level of the filters that are subscribed to: what is subscribed to one that
// ends there, by who did, and the levels below by their names.
type level[K comparable, V any] struct {
	below map[string]*level[K, V]
	subs  map[K]V
}

// at returns what is subscribed to a filter, to be added to.
func (l *level[K, V]) at(filter string) map[K]V {
	for name := range strings.SplitSeq(filter, "/") {
		next := l.below[name]
		if next == nil {
			if l.below == nil {
				l.below = map[string]*level[K, V]{}
			}
			next = &level[K, V]{}
			l.below[name] = next
		}
		l = next
	}
	if l.subs == nil {
		l.subs = map[K]V{}
	}
	return l.subs
}

// remove takes a subscription away, and levels that are empty then.
func (l *level[K, V]) remove(who K, path []string) bool {
	if len(path) == 0 {
		_, had := l.subs[who]
		delete(l.subs, who)
		return had
	}
	next := l.below[path[0]]
	if next == nil {
		return false
	}
	had := next.remove(who, path[1:])
	if len(next.subs) == 0 && len(next.below) == 0 {
		delete(l.below, path[0])
	}
	return had
}

// match calls f for each subscription to a topic. What begins with $ is not meant by a
// wildcard at its beginning (MQTT 5 section 4.7.2).
func (l *level[K, V]) match(topic string, f func(K, V)) {
	l.matchBelow(strings.Split(topic, "/"), !strings.HasPrefix(topic, "$"), f)
}

func (l *level[K, V]) matchBelow(path []string, wild bool, f func(K, V)) {
	if all := l.below["#"]; all != nil && wild {
		for who, sub := range all.subs {
			f(who, sub)
		}
	}
	if len(path) == 0 {
		for who, sub := range l.subs {
			f(who, sub)
		}
		return
	}
	if next := l.below[path[0]]; next != nil {
		next.matchBelow(path[1:], true, f)
	}
	if next := l.below["+"]; next != nil && wild {
		next.matchBelow(path[1:], true, f)
	}
}
