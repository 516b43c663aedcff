//go:build !linux

package kubernetestest

import "os/exec"

func startChild(cmd *exec.Cmd) error { return cmd.Start() }
