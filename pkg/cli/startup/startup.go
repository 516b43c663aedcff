// Package startup keeps the garbage collector away while the packages of this
// binary initialize themselves.
//
// They allocate some 4.5 MB, most of it for schemas and sanitizers that a command
// may never use. That is just above the heap at which the collector starts for
// the first time, and it was a sixth of the time of `metapipe version`.
//
// Go initializes a package as soon as what it imports is ready, in the order of
// import paths (https://go.dev/ref/spec#Program_initialization), so a package
// that imports next to nothing comes before those.
package startup

import "runtime/debug"

// heapPercent stands for a first collection at 16 MB instead of 4 MB.
const heapPercent = 400

// usual is the pace that GOGC asks for.
var usual = debug.SetGCPercent(heapPercent)

// Done gives the collector its usual pace back. A command that goes on to work
// calls it before it does.
func Done() { debug.SetGCPercent(usual) }
