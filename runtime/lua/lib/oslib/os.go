// Package oslib is what scripts have of the table os: the event's time. There is
// no other clock, no time zone (local time is UTC, so that a replay says the
// same everywhere), no file, process or environment. Functions are pure but for
// the clock; those of one state are called on its goroutine.
package oslib

import (
	"math"
	"time"

	lua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/runtime/lua/lib/call"
	"github.com/hookd/hookd/runtime/lua/lib/strlib"
)

// Clock tells event time as nanoseconds since the epoch.
type Clock func() int64

// Open returns the functions of the table.
func Open(L *lua.LState, lim *strlib.Limits, clock Clock) map[string]lua.LValue {
	return call.Functions(L, lim, "os", map[string]call.Body{
		"time": func(c call.Call) int {
			if c.Has(1) {
				return fromTable(c)
			}
			return c.PushNumber(float64(clock() / 1e9))
		},
		"clock": func(c call.Call) int { return c.PushNumber(float64(clock()) / 1e9) },
		"date":  func(c call.Call) int { return date(c, clock) },
		"difftime": func(c call.Call) int {
			to := c.Number(1)
			if c.Has(2) {
				return c.PushNumber(to - c.Number(2))
			}
			return c.PushNumber(to)
		},
	})
}

// maxField bounds each field of a date, so that adding them up is exact.
const maxField = 1 << 31

// fromTable is os.time{ year, month, day, hour, min, sec }: fields beyond their
// range carry over, as mktime has it.
func fromTable(c call.Call) int {
	t := c.Table(1)
	field := func(name string, def int) int {
		n, ok := toNumber(t.RawGetString(name))
		switch {
		case !ok && def < 0:
			c.L.RaiseError("field '%s' missing in date table", name)
		case !ok:
			return def
		case math.Abs(n) >= maxField || n != n:
			c.Raise("field '" + name + "' is out of range")
		}
		return int(n)
	}
	sec, minute, hour := field("sec", 0), field("min", 0), field("hour", 12)
	day, month, year := field("day", -1), field("month", -1), field("year", -1)
	if year < -maxYear || year > maxYear {
		c.Raise("field 'year' is out of range")
	}
	at := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC).Unix()
	return c.PushNumber(float64(at) + float64(hour)*3600 + float64(minute)*60 + float64(sec))
}

func toNumber(v lua.LValue) (float64, bool) {
	switch v := v.(type) {
	case lua.LNumber:
		return float64(v), true
	case lua.LString:
		return strlib.ParseNumber(string(v))
	}
	return 0, false
}

// Years that can be written.
const (
	maxYear      = 9999
	stepsPerDate = 200
)

// seconds that os.date takes: those of the years up to maxYear.
var (
	minTime = float64(time.Date(-maxYear, 1, 1, 0, 0, 0, 0, time.UTC).Unix())
	maxTime = float64(time.Date(maxYear+1, 1, 1, 0, 0, 0, 0, time.UTC).Unix())
)

// date is os.date([format [, time]]). A leading "!" means UTC, as everything
// does here; "*t" means a table.
func date(c call.Call, clock Clock) int {
	format := c.OptString(1, "%c")
	sec := math.Floor(float64(clock()) / 1e9)
	if c.Has(2) {
		sec = math.Trunc(c.Number(2))
	}
	if !(sec >= minTime && sec < maxTime) {
		c.Bad(2, "time out of range: years up to 9999")
	}
	c.Spend(stepsPerDate + 8*len(format))
	t := time.Unix(int64(sec), 0).UTC()
	if len(format) > 0 && format[0] == '!' {
		format = format[1:]
	}
	if len(format) >= 2 && format[:2] == "*t" {
		return c.Push(table(c.L, t))
	}
	b, bad := appendTime(nil, format, t)
	if bad != "" {
		c.Bad(1, "unknown conversion '"+bad+"'")
	}
	c.Bound(len(b))
	return c.PushString(string(b))
}

// table has the fields of a date as Lua names them.
func table(L *lua.LState, t time.Time) *lua.LTable {
	out := L.CreateTable(0, 9)
	for _, f := range []struct {
		name string
		n    int
	}{
		{"sec", t.Second()},
		{"min", t.Minute()},
		{"hour", t.Hour()},
		{"day", t.Day()},
		{"month", int(t.Month())},
		{"year", t.Year()},
		{"wday", int(t.Weekday()) + 1},
		{"yday", t.YearDay()},
	} {
		out.RawSetString(f.name, lua.LNumber(f.n))
	}
	out.RawSetString("isdst", lua.LFalse)
	return out
}
