//go:build !linux

package main

import "os"

// Memory is measured on Linux only.

func peakOf(*os.ProcessState) int64 { return 0 }

func residentPeak() int64 { return 0 }
