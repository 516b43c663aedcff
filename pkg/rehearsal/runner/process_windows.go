package runner

import (
	"os"
	"os/exec"
)

// alone does nothing: a console sends its Ctrl-C to every process by itself.
func alone(*exec.Cmd) {}

// interrupt leaves the process to the Ctrl-C that it got from the console.
func interrupt(*os.Process) error { return nil }

// endGroup does nothing: Windows has no groups of processes.
func endGroup(int) {}
