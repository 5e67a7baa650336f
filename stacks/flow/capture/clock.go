package capture

import (
	"math"
	"math/bits"
)

// clock turns a pcapng interface's timestamps into nanoseconds since the Unix
// epoch: nanos = timestamp * mul / div >> shift + offset, in 128 bits, rounded
// down and held within int64. At most one of div and shift does something.
type clock struct {
	mul, div uint64
	shift    uint
	offset   int64
}

// newClock takes the values of if_tsresol (a negative power of 10, or of 2 if
// the top bit is set) and if_tsoffset (seconds).
func newClock(resolution byte, offsetSeconds int64) clock {
	c := clock{mul: 1, div: 1, offset: secondsToNanos(offsetSeconds)}
	exponent := uint(resolution & 0x7f)
	switch {
	case resolution&0x80 != 0:
		c.mul, c.shift = nanosPerSecond, exponent
	case exponent <= 9:
		c.mul = pow10(9 - exponent)
	case exponent <= 28:
		c.div = pow10(exponent - 9)
	default: // a unit so small that 2^64 of them are less than a nanosecond
		c.mul = 0
	}
	return c
}

func (c *clock) nanos(ts uint64) int64 {
	hi, lo := bits.Mul64(ts, c.mul)
	switch {
	case c.shift >= 64:
		hi, lo = 0, hi>>(c.shift-64)
	case c.shift > 0:
		hi, lo = hi>>c.shift, lo>>c.shift|hi<<(64-c.shift)
	case c.div > 1:
		lo /= c.div
	}
	if hi != 0 || lo > math.MaxInt64 {
		lo = math.MaxInt64
	}
	return addClamped(int64(lo), c.offset)
}

func pow10(n uint) uint64 {
	p := uint64(1)
	for range n {
		p *= 10
	}
	return p
}

func secondsToNanos(s int64) int64 {
	switch {
	case s > math.MaxInt64/nanosPerSecond:
		return math.MaxInt64
	case s < math.MinInt64/nanosPerSecond:
		return math.MinInt64
	}
	return s * nanosPerSecond
}

func addClamped(a, b int64) int64 {
	sum := a + b
	switch {
	case b > 0 && sum < a:
		return math.MaxInt64
	case b < 0 && sum > a:
		return math.MinInt64
	}
	return sum
}
