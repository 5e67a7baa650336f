package engine

// SettingsFile is the name of the file with settings at the root of the scripts.
const SettingsFile = "hookd.lua"

// MaxShards is the most shards that may be asked for: each has a machine for each
// script.
const MaxShards = 256

// Setting is a value that a settings file has, and where.
type Setting struct {
	// Name is "observe", "shards" or "metrics", or "limits." with a limit's name, or a family's with a
	// setting of its stack.
	Name string
	// Value is a bool, a float64, a string or a list of strings.
	Value any
	File  string
	Line  int
}
