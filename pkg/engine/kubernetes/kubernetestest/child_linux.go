package kubernetestest

import (
	"os/exec"
	"runtime"
	"syscall"
)

// startChild starts a process that the kernel ends with this one, also when this one is killed.
func startChild(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // the signal comes with the end of the thread that starts it
		started <- cmd.Start()
		select {}
	}()
	return <-started
}
