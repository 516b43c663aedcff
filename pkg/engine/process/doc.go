// Package process runs the tools of engines: each in a process group of its own, with an
// allow-list of the environment.
package process
