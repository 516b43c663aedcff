// Command recorder stands in for a tool: it notes its arguments in the file
// `calls` beside it and becomes the tool whose path stands in the file `real`.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	dir := filepath.Dir(os.Args[0])
	real, err := os.ReadFile(filepath.Join(dir, "real"))
	if err != nil {
		return err
	}
	calls, err := os.OpenFile(filepath.Join(dir, "calls"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(calls, strings.Join(os.Args[1:], " ")); err != nil {
		return err
	}
	if err := calls.Close(); err != nil {
		return err
	}
	tool := exec.Command(string(real), os.Args[1:]...)
	tool.Stdin, tool.Stdout, tool.Stderr = os.Stdin, os.Stdout, os.Stderr
	return tool.Run()
}
