package main

import (
	"bytes"
	"fmt"
	"regexp"
)

// archive is a txtar file: a comment, then files, each behind a line
// "-- name --". Names are unique; every file ends in a newline.
type archive struct {
	comment []byte
	files   []archived
}

type archived struct {
	name string
	data []byte
}

var marker = regexp.MustCompile(`(?m)^-- (\S+) --\n`)

func parseArchive(text []byte) *archive {
	marks := marker.FindAllSubmatchIndex(text, -1)
	a := &archive{comment: text}
	for i, m := range marks {
		end := len(text)
		if i == 0 {
			a.comment = text[:m[0]]
		}
		if i+1 < len(marks) {
			end = marks[i+1][0]
		}
		a.files = append(a.files, archived{string(text[m[2]:m[3]]), text[m[1]:end]})
	}
	return a
}

func (a *archive) format() []byte {
	var b bytes.Buffer
	b.Write(a.comment)
	for _, f := range a.files {
		fmt.Fprintf(&b, "-- %s --\n", f.name)
		b.Write(f.data)
	}
	return b.Bytes()
}
