//go:build !race || !unix

package main

func WithoutRaceDelay() {}

// RaceDetector reports whether the race detector watches. It takes several times as long,
// so the matrices of faults play a part of their cases then; `make faults` plays all.
const RaceDetector = false
