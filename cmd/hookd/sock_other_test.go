//go:build !linux

package main

// sockPrograms are none where connections cannot be moved.
func sockPrograms() map[string]func() { return map[string]func(){} }

func canUnshare() bool { return false }

func canRunCRIU() bool { return false }
