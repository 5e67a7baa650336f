package mqttwire

import "strings"

// ValidTopic reports whether a message can be published under that name: not empty,
// at most 65,535 bytes, without wildcards and U+0000 (MQTT 5 section 4.7).
func ValidTopic(s string) bool {
	return s != "" && len(s) <= 65535 && !strings.ContainsAny(s, "+#\x00")
}

// ValidFilter reports whether one can subscribe to that: wildcards stand alone in a
// level, # in the last; a shared one is "$share/NAME/FILTER" (section 4.8.2).
func ValidFilter(s string) bool {
	if s == "" || len(s) > 65535 || strings.IndexByte(s, 0) >= 0 {
		return false
	}
	if rest, ok := strings.CutPrefix(s, "$share/"); ok {
		group, filter, ok := strings.Cut(rest, "/")
		if !ok || group == "" || strings.ContainsAny(group, "+#") || filter == "" {
			return false
		}
		s = filter
	}
	for {
		level, rest, more := strings.Cut(s, "/")
		if strings.ContainsAny(level, "+#") && len(level) > 1 || level == "#" && more {
			return false
		}
		if !more {
			return true
		}
		s = rest
	}
}

// SplitShared returns the group of a shared subscription, "" for others, and the filter.
func SplitShared(s string) (group, filter string) {
	if rest, ok := strings.CutPrefix(s, "$share/"); ok {
		if group, filter, ok = strings.Cut(rest, "/"); ok {
			return group, filter
		}
	}
	return "", s
}

// Match reports whether a topic is one that a filter asks for. What begins with $ is not
// meant by a wildcard at its beginning (section 4.7.2).
func Match(filter, topic string) bool {
	if strings.HasPrefix(topic, "$") && (strings.HasPrefix(filter, "+") || strings.HasPrefix(filter, "#")) {
		return false
	}
	for {
		f, frest, fmore := strings.Cut(filter, "/")
		if f == "#" {
			return true
		}
		t, trest, tmore := strings.Cut(topic, "/")
		if f != "+" && f != t {
			return false
		}
		if !fmore || !tmore {
			// "a/#" means "a" too.
			return fmore == tmore || !tmore && frest == "#"
		}
		filter, topic = frest, trest
	}
}
