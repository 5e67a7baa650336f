package msg

// Field is one header field, as it stands in the message. A value that is folded
// has its line ends in it.
type Field struct {
	Name  Name
	Text  []byte // its name as written
	Value []byte // without white space around it
}

// Len returns how many header fields there are.
func (m *Message) Len() int { return len(m.fields) }

// Field returns header field i, from 0 in the order of the message.
func (m *Message) Field(i int) Field {
	f := &m.fields[i]
	return Field{Name: f.id, Text: f.name.of(m.raw), Value: f.val.of(m.raw)}
}

// Has reports whether a header field is there.
func (m *Message) Has(n Name) bool { return m.first[n] != 0 }

// Get returns the value of the first header field of a name; false if there is
// none.
func (m *Message) Get(n Name) ([]byte, bool) {
	i := m.first[n]
	if i == 0 {
		return nil, false
	}
	return m.fields[i-1].val.of(m.raw), true
}

// Index returns the place of the first header field of a name from place i on, or
// -1. The name is that of n, or text for one that has no number.
func (m *Message) Index(i int, n Name, text string) int {
	if n != OtherName {
		if m.first[n] == 0 {
			return -1
		}
		i = max(i, int(m.first[n])-1)
	}
	for ; i < len(m.fields); i++ {
		f := &m.fields[i]
		if f.id == n && (n != OtherName || sameFold(f.name.of(m.raw), text)) {
			return i
		}
	}
	return -1
}

// Count returns how many header fields of a name there are, as lines.
func (m *Message) Count(n Name) int {
	count := 0
	for i := m.Index(0, n, ""); i >= 0; i = m.Index(i+1, n, "") {
		count++
	}
	return count
}

// Values walks the values of a header field in order, over all its lines, and
// within a line over what commas divide, where the field is a list.
type Values struct {
	m    *Message
	name Name
	text string
	at   int // field that is walked
	list bool
	rest []byte
	val  []byte
	off  uint32 // of rest in the message
	in   span
}

// Values returns a walk over the values of a known header field.
func (m *Message) Values(n Name) Values {
	return Values{m: m, name: n, at: -1, list: n.List()}
}

// ValuesOf is [Message.Values] by name, in any case; the values of a field that is
// not known are its lines.
func (m *Message) ValuesOf(name string) Values {
	id := NameOf([]byte(name))
	return Values{m: m, name: id, text: name, at: -1, list: id.List()}
}

// Next goes to the next value and reports whether there is one.
func (v *Values) Next() bool {
	for len(v.rest) == 0 {
		i := v.m.Index(v.at+1, v.name, v.text)
		if i < 0 {
			return false
		}
		f := &v.m.fields[i]
		v.at, v.rest, v.off = i, f.val.of(v.m.raw), f.val.off
		if len(v.rest) == 0 {
			v.val, v.in = v.rest, f.val
			return true
		}
	}
	end := len(v.rest)
	if v.list {
		end = comma(v.rest)
	}
	v.val, v.in = trim(v.rest[:end]), span{v.off, v.off + uint32(end)}
	step := min(end+1, len(v.rest))
	v.rest, v.off = v.rest[step:], v.off+uint32(step)
	return true
}

// Value returns the value that Next found.
func (v *Values) Value() []byte { return v.val }

// Field returns the place of the header field that the value is in.
func (v *Values) Field() int { return v.at }

// comma returns where the first value of a list ends: at a comma that is in no
// quoted string and in no angle brackets.
func comma(v []byte) int {
	angle := false
	for i := 0; i < len(v); i++ {
		switch v[i] {
		case '"':
			end := quoted(v, i)
			if angle || end < 0 {
				continue
			}
			i = end - 1
		case '<':
			angle = true
		case '>':
			angle = false
		case ',':
			if !angle {
				return i
			}
		}
	}
	return len(v)
}
