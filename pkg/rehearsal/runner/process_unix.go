//go:build !windows

package runner

import (
	"os"
	"os/exec"
	"syscall"
)

// alone puts the process into a group of its own: a Ctrl-C at the terminal must
// reach it once, from us.
func alone(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func interrupt(p *os.Process) error { return p.Signal(os.Interrupt) }

// endGroup kills what a process that has ended left behind in its group.
func endGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }
