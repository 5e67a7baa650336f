// Package scripts is the Lua that ships: editor stubs now, the standard library
// and stock policies as they come. It owns nothing that changes.
package scripts

import "embed"

// Types are the editor stubs for the Lua language server.
//
//go:embed types/*.lua
var Types embed.FS
