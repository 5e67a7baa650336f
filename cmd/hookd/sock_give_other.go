//go:build !linux

package main

import "github.com/hookd/hookd/stacks/sock"

func execWith(*sock.Restored, []string) error { return sock.ErrUnsupported }

func runWith(*sock.Restored, []string) error { return sock.ErrUnsupported }
