//go:build race

package strlib

const raceEnabled = true
