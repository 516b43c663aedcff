package terraform

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/metapipe/metapipe/pkg/engine/process"
	"github.com/metapipe/metapipe/pkg/engine/terraform/output"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/text"
)

// runJSON runs the tool with its machine-readable output and collects what it says.
func (w *workspace) runJSON(ctx context.Context, args ...string) (*output.Stream, error) {
	w.log.Clean = w.relative
	stream := &output.Stream{Log: w.log, Applying: args[0] == "apply"}
	out := filepath.Join(w.dir, args[0]+".jsonl")
	ended := make(chan struct{})
	followed := make(chan error, 1)
	// The file must be there before someone follows it.
	if err := os.WriteFile(out, nil, 0o600); err != nil {
		return stream, w.failed("record the output of "+w.tool.Name, err)
	}
	go func() { followed <- process.Follow(out, ended, stream.Line) }()
	err := w.exec(ctx, out, args...)
	close(ended)
	if e := <-followed; e != nil {
		stream.OutputLost = true
		err = errors.Join(err, w.failed("read the output of "+w.tool.Name, e))
	}
	if stream.Version != "" && stream.Version != w.tool.Version {
		stream.OutputLost = true
		return stream, w.otherVersion(stream.Version)
	}
	if err != nil && len(stream.Diagnostics) == 0 {
		stream.Diagnostics = output.PlainTextDiagnostics(string(stream.PlainText) + "\n" + w.stderr(args[0]))
	}
	return stream, err
}

// otherVersion is the error about a program that passes calls on to one of
// several versions, which depends on the directory it is called in.
func (w *workspace) otherVersion(got string) error {
	return pipeline.Usagef("%s said that it is version %s and ran %s: it picks a version by directory", w.tool.Path, w.tool.Version, got).
		Nextf("put the %s binary itself into PATH, before the version manager", w.tool.Name)
}

// exec runs the tool in the root module with its standard output in a file.
func (w *workspace) exec(ctx context.Context, stdout string, args ...string) (err error) {
	out, err := os.OpenFile(stdout, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o600)
	if err != nil {
		return w.failed("record the output of "+w.tool.Name, err)
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	errs, err := os.OpenFile(w.stderrFile(args[0]), os.O_WRONLY|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o600)
	if err != nil {
		return w.failed("record the output of "+w.tool.Name, err)
	}
	defer func() { err = errors.Join(err, errs.Close()) }()
	place, err := os.Open(w.dir)
	if err != nil {
		return w.failed("open the workspace", err)
	}
	defer func() { err = errors.Join(err, place.Close()) }()
	return process.Process{
		Path: w.tool.Path, Args: args, Dir: w.root, Env: w.env, Place: place,
		Stdout: out, Stderr: errs, WaitDelay: w.engine.options.WaitDelay,
	}.Run(ctx)
}

func (w *workspace) stderrFile(command string) string {
	return filepath.Join(w.dir, command+".stderr")
}

// stderr is the start of what a command printed there, "" when it cannot be read.
func (w *workspace) stderr(command string) string {
	file, err := os.Open(w.stderrFile(command))
	if err != nil {
		return ""
	}
	defer file.Close()
	b, err := io.ReadAll(io.LimitReader(file, output.PlainTextLimit))
	if err != nil {
		return ""
	}
	return string(b)
}

// lockArgs say how a state lock is taken.
func (w *workspace) lockArgs() []string {
	if w.readOnly {
		return []string{"-lock=false"}
	}
	if wait := w.job.Customer.Manager.Limits.LockTimeout; wait > 0 {
		return []string{fmt.Sprintf("-lock-timeout=%ds", int((wait+999_999_999)/1_000_000_000))}
	}
	return nil
}

// failure is the error of a tool that ran and failed; a refusal where it found a state
// that is not one.
func (w *workspace) failure(ctx context.Context, command string, err error, diagnostics []pipeline.Diagnostic) error {
	var said strings.Builder
	for _, d := range diagnostics {
		said.WriteString(d.Summary + " " + d.Detail + "\n")
	}
	if damaged := w.damaged(ctx, said.String()); damaged != nil {
		return damaged
	}
	return w.toolFailure(command, err, diagnostics)
}

func (w *workspace) toolFailure(command string, err error, diagnostics []pipeline.Diagnostic) error {
	failed := &pipeline.FailedError{
		Message:     fmt.Sprintf("%s of %s failed", command, target(w.job)),
		Next:        pipeline.ProviderNext,
		Operator:    fmt.Sprintf("read the output of %s above", w.tool.Name),
		Diagnostics: diagnostics,
		Err:         err,
	}
	if len(diagnostics) == 0 && isFull(w.job.Dir) {
		failed.Message += ": the disk of the run directory is full"
		failed.Operator = fullDiskAdvice
	}
	for _, d := range diagnostics {
		if d.Warning {
			continue
		}
		failed.Message += ": " + output.FirstLine(d.Summary)
		failed.Lock = output.LockOf(d.Summary, d.Detail)
		failed.Permanent = strings.HasPrefix(d.Summary, inconsistent)
		switch { // the customer's own line says more to them than the manager's
		case d.Source.File != "":
			failed.Message += fmt.Sprintf(" (%s)", d.Source)
		case d.Where.File != "":
			failed.Message += fmt.Sprintf(" (%s)", d.Where)
		}
		failed.Next, failed.Operator = w.advice(d, failed.Operator)
		break
	}
	if cause := w.backendCause(diagnostics); cause != "" {
		failed.Message += "; " + cause
	}
	var exit *process.ExitError
	if errors.As(err, &exit) && len(diagnostics) > 0 {
		failed.Err = nil // the diagnostics say more than "exit code 1"
	}
	return failed
}

// advice is what a customer does about a diagnostic, and what the operator does where it
// is another thing. A customer cannot change the manager's code or its runner.
func (w *workspace) advice(d pipeline.Diagnostic, operator string) (next, forOperator string) {
	switch {
	case d.Operator != "":
		return pipeline.ProviderNext, d.Operator
	case d.Remedy != "":
		return d.Remedy, ""
	case d.Where.File != "":
		return pipeline.ProviderNext, fmt.Sprintf("correct %s", d.Where)
	case d.Detail != "":
		return pipeline.ProviderNext, output.FirstLine(d.Detail)
	}
	return pipeline.ProviderNext, operator
}

// isFull reports whether a small file still fits into dir. A tool whose disk is
// full often ends with nothing but an exit code.
func isFull(dir string) bool {
	f, err := os.CreateTemp(dir, "probe-")
	if err != nil {
		return text.DiskFull(err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(make([]byte, 64<<10))
	return text.DiskFull(errors.Join(err, f.Close()))
}
