// Package scripts is the Lua that ships: editor stubs, a folder to begin with,
// and modules that every script can require. It owns nothing that changes.
package scripts

import "embed"

// Types are the editor stubs for the Lua language server.
//
//go:embed types/*.lua
var Types embed.FS

// Starter is the folder that a user begins with.
//
//go:embed starter/*.lua
var Starter embed.FS

//go:embed mos/lib/mos.lua
var mos []byte

// Module is one that ships.
type Module struct {
	Name string // as scripts require it
	Path string // in this folder
	Text []byte
}

// Modules lists the modules, by path.
func Modules() []Module {
	return []Module{{Name: "mos", Path: "mos/lib/mos.lua", Text: mos}}
}
