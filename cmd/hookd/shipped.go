package main

import (
	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/scripts"
)

// shipped are the modules that are part of the program.
func shipped() []engine.Source {
	var list []engine.Source
	for _, m := range scripts.Modules() {
		list = append(list, engine.Source{Path: "hookd:" + m.Path, Text: m.Text, Module: m.Name})
	}
	return list
}
