package sip

import (
	"slices"

	"github.com/hookd/hookd/stacks/sip/msg"
)

// defaultBreadth is what a request has that says nothing (RFC 5393, 5.3.3).
const defaultBreadth = 60

// breadth returns how many branches a request may have at the same time, here and at all
// servers behind (RFC 5393, 5.3): forks of forks end where nothing is left to divide.
func breadth(m *msg.Message) (n int, said bool) {
	v, said, err := m.Number(msg.MaxBreadth, 1<<31-1)
	if !said || err != nil {
		return defaultBreadth, false
	}
	return int(v), true
}

// narrow keeps a step within what its request allows, and divides that: targets beyond are
// tried when those before have failed. Where one target gets all, and the request said nothing,
// nothing is said. false: nothing is allowed.
func (t *Tx) narrow(targets []target) ([]target, bool) {
	width, said := breadth(&t.view().Message)
	if width == 0 {
		return nil, false
	}
	if len(targets) > width {
		t.later = slices.Insert(t.later, 0, targets[width:])
		targets = targets[:width]
	}
	if n := len(targets); said || n > 1 {
		for i := range targets {
			targets[i].breadth = width / n
			if i < width%n {
				targets[i].breadth++
			}
		}
	}
	return targets, true
}
