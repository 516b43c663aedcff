// Package recovery brings back what went wrong: a state that was not written or is
// lost, and records under an old key.
package recovery
