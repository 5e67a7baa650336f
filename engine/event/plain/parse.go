package plain

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// MaxExact is the greatest integer up to which every integer has a float64 of
// its own, 2^53: numbers beyond it are refused rather than rounded.
const MaxExact = 1 << 53

// Duration reads "300ms", "10s", "1m30s", "36h" or "7d": what time.ParseDuration
// takes, and whole or broken days.
func Duration(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseFloat(days, 64)
		if err != nil {
			return 0, noDuration(text)
		}
		return Seconds(n * 86400)
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, noDuration(text)
	}
	return d, nil
}

// noDuration says that text is none, and of one that begins as a number what its
// unit could be.
func noDuration(text string) error {
	units := ""
	if text != "" && text[0] >= '0' && text[0] <= '9' {
		units = "; units are ms, s, m, h and d"
	}
	return fmt.Errorf("duration such as \"10s\" expected, got %q%s", clip(text), units)
}

// Seconds turns a number of seconds into a duration.
func Seconds(n float64) (time.Duration, error) {
	if ns := math.Round(n * 1e9); ns >= -(1<<63) && ns < 1<<63 {
		return time.Duration(ns), nil
	}
	return 0, fmt.Errorf("duration in seconds expected, got %s", number(n))
}

// units are the suffixes of sizes; binary ones count by 1024.
var units = []struct {
	suffix string
	bytes  int64
}{
	{"KiB", 1 << 10},
	{"MiB", 1 << 20},
	{"GiB", 1 << 30},
	{"TiB", 1 << 40},
	{"kB", 1e3},
	{"MB", 1e6},
	{"GB", 1e9},
	{"TB", 1e12},
	{"B", 1},
}

// Size reads "512", "512B", "64KiB" or "1.5MB" as a number of bytes.
func Size(text string) (int64, error) {
	digits, factor := text, int64(1)
	for _, u := range units {
		if rest, ok := strings.CutSuffix(text, u.suffix); ok {
			digits, factor = strings.TrimRight(rest, " "), u.bytes
			break
		}
	}
	n, err := strconv.ParseFloat(digits, 64)
	if err != nil || strings.ContainsAny(digits, "xXpP_nN") {
		return 0, fmt.Errorf("size such as \"64KiB\" expected, got %q", clip(text))
	}
	size, err := Integer(math.Trunc(n*float64(factor)), 0, MaxExact)
	if err != nil {
		return 0, fmt.Errorf("size such as \"64KiB\" expected, got %q", clip(text))
	}
	return size, nil
}

// Integer returns n as an integer from least to most.
func Integer(n float64, least, most int64) (int64, error) {
	if n != math.Trunc(n) && !math.IsInf(n, 0) || math.IsNaN(n) {
		return 0, fmt.Errorf("integer expected, got %s", number(n))
	}
	if n < float64(least) || n > float64(most) {
		return 0, fmt.Errorf("%d to %d expected, got %s", least, most, number(n))
	}
	return int64(n), nil
}

// Word returns the index of word in names.
func Word(word string, names []string) (int, error) {
	for i, name := range names {
		if name == word {
			return i, nil
		}
	}
	return 0, fmt.Errorf("%s expected, got %q", strings.Join(names, ", "), clip(word))
}

// number writes integers without an exponent as far as they are exact.
func number(n float64) string {
	if n == math.Trunc(n) && math.Abs(n) < 1e17 {
		return strconv.FormatFloat(n, 'f', 0, 64)
	}
	return strconv.FormatFloat(n, 'g', -1, 64)
}

// clip keeps what an error message shows of a text short.
func clip(text string) string {
	const most = 40
	if len(text) <= most {
		return text
	}
	return text[:most] + "…"
}
