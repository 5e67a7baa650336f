//go:build !linux

package flow

func preferHugePages([]byte) {}
