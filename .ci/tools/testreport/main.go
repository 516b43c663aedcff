// Command testreport runs `go test -json`, prints what failed and what was
// skipped, and fails on a skip that no one expects.
//
//	testreport -expected .ci/expected-skips -- go test -json ./...
//
// It ends with a plain line: "N passed, N failed, N skipped".
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run returns 0 when all is well, 1 when a test failed or was skipped without
// leave, 2 when the command line or a file is wrong.
func run(args []string, out, errOut io.Writer) int {
	flags := flag.NewFlagSet("testreport", flag.ContinueOnError)
	flags.SetOutput(errOut)
	path := flags.String("expected", "", "file of the skips that are expected: package, test, reason")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if flags.NArg() == 0 {
		fmt.Fprintln(errOut, "testreport: name the command to run after --")
		return 2
	}
	expected, err := readExpected(*path)
	if err != nil {
		fmt.Fprintln(errOut, "testreport:", err)
		return 2
	}
	summary, err := execute(flags.Args(), out, errOut)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		fmt.Fprintln(errOut, "testreport:", err)
		return 2
	}
	if err != nil && summary.failed == 0 {
		fmt.Fprintf(out, "FAILED: %s: %v\n", flags.Arg(0), err)
	}
	if summary.passed+summary.failed+len(summary.skips) == 0 {
		fmt.Fprintln(out, "FAILED: no test was run")
		return 1
	}
	unexpected := summary.print(out, expected)
	if err != nil || summary.failed > 0 || unexpected > 0 {
		return 1
	}
	return 0
}

// execute runs the command and reads its events to the end.
func execute(command []string, out, errOut io.Writer) (*summary, error) {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stderr = errOut
	events, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", command[0], err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("run %s: %w", command[0], err)
	}
	s := newSummary()
	readErr := s.read(events, out)
	if err := cmd.Wait(); err != nil {
		return s, err
	}
	return s, readErr
}
