// Package soak tests requests among random faults, round after round.
package soak
