//go:build !race

package lib_test

const raceEnabled = false
