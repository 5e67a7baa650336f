//go:build race

package lib_test

const raceEnabled = true
