//go:build !race || !unix

package main

func withoutRaceDelay() {}
