//go:build !race

package strlib

const raceEnabled = false
