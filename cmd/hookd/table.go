package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// tableWidth is how wide tables are where the terminal does not say, in COLUMNS.
const tableWidth = 80

// How far a column is cut at most, and how far one is that gives way first.
const (
	least      = 6
	leastFirst = 12
)

// column is one of a table.
type column struct {
	title string
	right bool // numbers
	cut   bool // may be made narrower, so that the table fits
	first bool // before others are
}

// table is written with columns that are as wide as what is in them.
type table struct {
	columns []column
	rows    [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// write writes the table, at most so wide where columns may be cut.
func (t *table) write(w io.Writer, width int) error {
	widths := t.widths(width)
	var b strings.Builder
	titles := make([]string, len(t.columns))
	for i, c := range t.columns {
		titles[i] = c.title
	}
	t.line(&b, titles, widths)
	for _, row := range t.rows {
		t.line(&b, row, widths)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// widths says how wide the columns are: the widest of those that may be cut gives,
// at first of those that give way first.
func (t *table) widths(width int) []int {
	widths := make([]int, len(t.columns))
	sum := 2 * (len(widths) - 1)
	for i, c := range t.columns {
		widths[i] = utf8.RuneCountInString(c.title)
		for _, row := range t.rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
		sum += widths[i]
	}
	for ; sum > width; sum-- {
		i := t.widest(widths, func(c column) bool { return c.first }, leastFirst)
		if i < 0 {
			i = t.widest(widths, func(c column) bool { return c.cut }, least)
		}
		if i < 0 {
			break
		}
		widths[i]--
	}
	return widths
}

// widest returns the widest of some columns that is wider than least, -1 for none.
func (t *table) widest(widths []int, of func(column) bool, least int) int {
	widest := -1
	for i, c := range t.columns {
		if of(c) && widths[i] > least && (widest < 0 || widths[i] > widths[widest]) {
			widest = i
		}
	}
	return widest
}

func (t *table) line(b *strings.Builder, cells []string, widths []int) {
	begin := b.Len()
	for i, cell := range cells {
		if i > 0 {
			b.WriteString("  ")
		}
		cell = cutTo(cell, widths[i])
		pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
		if t.columns[i].right {
			b.WriteString(pad + cell)
		} else {
			b.WriteString(cell + pad)
		}
	}
	text := strings.TrimRight(b.String()[begin:], " ")
	rest := b.String()[:begin]
	b.Reset()
	b.WriteString(rest + text + "\n")
}

// cutTo leaves out the middle of what is longer.
func cutTo(s string, width int) string {
	r := []rune(s)
	if len(r) <= width {
		return s
	}
	head := (width - 1) / 2
	return string(r[:head]) + "…" + string(r[len(r)-(width-1-head):])
}

// terminalWidth is how wide a table may be.
func terminalWidth() int {
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n >= 40 {
		return n
	}
	return tableWidth
}

// shown makes text from elsewhere fit for a terminal: nothing in it moves the
// cursor.
func shown(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return s
	}
	q := strconv.Quote(s)
	return q[1 : len(q)-1]
}

// short writes a count in at most five places: 99999, 100k, 1.23M.
func short(n uint64) string {
	if n < 100_000 {
		return strconv.FormatUint(n, 10)
	}
	return shortFloat(float64(n))
}

// shortFloat is short for rates.
func shortFloat(f float64) string {
	switch {
	case f == 0:
		return "0"
	case f < 10:
		return strconv.FormatFloat(f, 'f', 1, 64)
	case f < 99_999.5:
		return strconv.FormatFloat(f, 'f', 0, 64)
	}
	for _, unit := range []string{"k", "M", "G", "T", "P"} {
		if f /= 1000; f < 999.5 {
			digits := 0
			if f < 9.995 {
				digits = 2
			} else if f < 99.95 {
				digits = 1
			}
			return strconv.FormatFloat(f, 'f', digits, 64) + unit
		}
	}
	return fmt.Sprintf("%.1e", f*1000)
}

// span writes seconds as people do: 1.2s, 4m10s, 3h2m, 5d1h.
func span(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch day := 24 * time.Hour; {
	case d < 10*time.Second:
		return strconv.FormatFloat(max(seconds, 0), 'f', 1, 64) + "s"
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm%ds", d/time.Minute, d%time.Minute/time.Second)
	case d < day:
		return fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute)
	default:
		return fmt.Sprintf("%dd%dh", d/day, d%day/time.Hour)
	}
}
