//go:build race && unix

package main

import (
	"os"
	"syscall"
)

// withoutRaceDelay starts this process again with a race detector that does not
// wait for a second at the end of every process: the scripts start hundreds.
func withoutRaceDelay() {
	if os.Getenv("GORACE") != "" {
		return
	}
	binary, err := os.Executable()
	if err != nil {
		return
	}
	// On success it does not come back; without success it is only slow.
	_ = syscall.Exec(binary, os.Args, append(os.Environ(), "GORACE=atexit_sleep_ms=0"))
}

// slowed reports whether the race detector watches. It takes several times as long,
// so the matrices of faults play a part of their cases then; `make faults` plays all.
const slowed = true
