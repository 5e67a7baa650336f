package oslib

import (
	"fmt"
	"time"
)

// composite conversions stand for others (the C locale of ISO C and POSIX).
var composite = map[byte]string{
	'c': "%a %b %e %H:%M:%S %Y", 'D': "%m/%d/%y", 'F': "%Y-%m-%d", 'R': "%H:%M",
	'r': "%I:%M:%S %p", 'T': "%H:%M:%S", 'x': "%m/%d/%y", 'X': "%H:%M:%S", 'h': "%b",
}

// simple conversions write one thing.
var simple = map[byte]func(b []byte, t time.Time) []byte{
	'%': func(b []byte, _ time.Time) []byte { return append(b, '%') },
	'n': func(b []byte, _ time.Time) []byte { return append(b, '\n') },
	't': func(b []byte, _ time.Time) []byte { return append(b, '\t') },
	'a': func(b []byte, t time.Time) []byte { return append(b, t.Weekday().String()[:3]...) },
	'A': func(b []byte, t time.Time) []byte { return append(b, t.Weekday().String()...) },
	'b': func(b []byte, t time.Time) []byte { return append(b, t.Month().String()[:3]...) },
	'B': func(b []byte, t time.Time) []byte { return append(b, t.Month().String()...) },
	'C': func(b []byte, t time.Time) []byte { return fmt.Appendf(b, "%02d", floorDiv(t.Year(), 100)) },
	'd': func(b []byte, t time.Time) []byte { return fmt.Appendf(b, "%02d", t.Day()) },
	'e': func(b []byte, t time.Time) []byte { return fmt.Appendf(b, "%2d", t.Day()) },
	'g': func(b []byte, t time.Time) []byte {
		y, _ := t.ISOWeek()
		return fmt.Appendf(b, "%02d", floorMod(y, 100))
	},
	'G': func(b []byte, t time.Time) []byte {
		y, _ := t.ISOWeek()
		return fmt.Appendf(b, "%d", y)
	},
	'H': func(b []byte, t time.Time) []byte { return fmt.Appendf(b, "%02d", t.Hour()) },
	'I': func(b []byte, t time.Time) []byte { return fmt.Appendf(b, "%02d", (t.Hour()+11)%12+1) },
	'j': func(b []byte, t time.Time) []byte { return fmt.Appendf(b, "%03d", t.YearDay()) },
	'm': func(b []byte, t time.Time) []byte { return fmt.Appendf(b, "%02d", int(t.Month())) },
	'M': func(b []byte, t time.Time) []byte { return fmt.Appendf(b, "%02d", t.Minute()) },
	'p': func(b []byte, t time.Time) []byte {
		if t.Hour() < 12 {
			return append(b, "AM"...)
		}
		return append(b, "PM"...)
	},
	's': func(b []byte, t time.Time) []byte { return fmt.Appendf(b, "%d", t.Unix()) },
	'S': func(b []byte, t time.Time) []byte { return fmt.Appendf(b, "%02d", t.Second()) },
	'u': func(b []byte, t time.Time) []byte { return fmt.Appendf(b, "%d", (int(t.Weekday())+6)%7+1) },
	'U': func(b []byte, t time.Time) []byte {
		return fmt.Appendf(b, "%02d", (t.YearDay()+6-int(t.Weekday()))/7)
	},
	'V': func(b []byte, t time.Time) []byte {
		_, w := t.ISOWeek()
		return fmt.Appendf(b, "%02d", w)
	},
	'w': func(b []byte, t time.Time) []byte { return fmt.Appendf(b, "%d", int(t.Weekday())) },
	'W': func(b []byte, t time.Time) []byte {
		return fmt.Appendf(b, "%02d", (t.YearDay()+6-(int(t.Weekday())+6)%7)/7)
	},
	'y': func(b []byte, t time.Time) []byte { return fmt.Appendf(b, "%02d", floorMod(t.Year(), 100)) },
	'Y': func(b []byte, t time.Time) []byte { return fmt.Appendf(b, "%d", t.Year()) },
	'z': func(b []byte, _ time.Time) []byte { return append(b, "+0000"...) },
	'Z': func(b []byte, _ time.Time) []byte { return append(b, "UTC"...) },
}

func floorMod(a, n int) int { return (a%n + n) % n }

func floorDiv(a, n int) int { return (a - floorMod(a, n)) / n }

// appendTime writes t as strftime does; bad is a conversion that it does not
// know.
func appendTime(b []byte, format string, t time.Time) (out []byte, bad string) {
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			b = append(b, format[i])
			continue
		}
		if i++; i == len(format) {
			return nil, "%"
		}
		letter := format[i]
		if inner, ok := composite[letter]; ok {
			b, _ = appendTime(b, inner, t)
			continue
		}
		write := simple[letter]
		if write == nil {
			return nil, format[i-1 : i+1]
		}
		b = write(b, t)
	}
	return b, ""
}
