package sock

import (
	"encoding/binary"

	"github.com/hookd/hookd/stacks/sock/image"
)

// option is a socket option that a connection takes with it. Its number is the
// image's and never changes.
type option struct {
	id          uint16
	label       string
	level, name int
	when        phase
	family      int    // 4 or 6 for options of one IP version, 0 for both
	usual       uint32 // value of a new socket, which is not written down
	size        int    // 0: a number of four bytes
}

// phase is when an option is set on a restored socket.
type phase uint8

const (
	beforeBind phase = iota
	built            // before the resume
	resumed          // after it
	never            // by other means
)

// number returns an option's value as a number.
func number(o image.Option) (uint32, bool) {
	if len(o.Value) != 4 {
		return 0, false
	}
	return binary.LittleEndian.Uint32(o.Value), true
}

func numbered(id uint16, v uint32) image.Option {
	return image.Option{ID: id, Value: binary.LittleEndian.AppendUint32(nil, v)}
}

// Numbers of options that are looked for by name.
const (
	optSndbuf    = 1
	optRcvbuf    = 2
	optBufLock   = 3
	optReuseAddr = 9
	optLinger    = 15
	optDevice    = 16
	optFilter    = 17
	optNodelay   = 18
	optCork      = 19
)
