package pulumi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/metapipe/metapipe/pkg/engine/process"
	"github.com/metapipe/metapipe/pkg/engine/redact"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// run is one run of the CLI.
type run struct {
	w       *workspace
	preview bool

	steps     []step // of the program, in the order of their begin
	refreshed map[string]step
	open      map[string]int  // began and did not end: urn → index of steps
	failed    map[string]bool // urn
	outputs   *side           // of the stack, as they were registered last
	said      []diagnosticEvent
	policies  []policyEvent
	summary   *summaryEvent
	refreshes map[string]bool // refreshes that began
	broken    error           // an event that cannot be read
	learned   func() error    // before anything is shown
}

// settingsName is the settings file of the stack, in the private directory.
const settingsName = "settings.yaml"

// start runs a command of the CLI on the stack, and follows its events.
func (w *workspace) start(ctx context.Context, backend string, preview bool, args ...string) (*run, error) {
	r := &run{w: w, preview: preview, refreshed: map[string]step{}, open: map[string]int{}, failed: map[string]bool{}, refreshes: map[string]bool{}, learned: sync.OnceValue(w.learn)}
	events := filepath.Join(w.private, "events.jsonl")
	if err := w.write("events.jsonl", nil); err != nil {
		return r, err
	}
	ended, followed := make(chan struct{}), make(chan error, 1)
	go func() { followed <- process.Follow(events, ended, r.line) }()
	err := w.exec(ctx, backend, append(args, "--stack", w.place.name(), "--config-file", filepath.Join(w.private, settingsName),
		"--event-log", events, "--suppress-permalink=true")...)
	close(ended)
	if lost := <-followed; lost != nil {
		err = errors.Join(err, w.failed("read the events of "+program, lost))
	}
	if r.broken != nil {
		err = errors.Join(err, w.failed("read the events of "+program, r.broken))
	}
	return r, errors.Join(r.learned(), err)
}

// exec runs the CLI in the root of the stack with its output in files: it goes on, and
// writes the state, also when this process is killed.
func (w *workspace) exec(ctx context.Context, backend string, args ...string) (err error) {
	var files []*os.File
	for _, name := range []string{"stdout", "stderr"} {
		file, err := os.OpenFile(filepath.Join(w.private, name), os.O_WRONLY|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o600)
		if err != nil {
			return w.written("record the output of "+program, err)
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		files = append(files, file)
	}
	// Without this one the CLI has no log of events.
	env := append(w.env, "PULUMI_BACKEND_URL="+backend, "PULUMI_DEBUG_COMMANDS=true")
	pid := 0
	err = process.Process{Path: w.tool.path, Stdin: w.stdin, Args: append(args, "--non-interactive", "--color", "never"), Dir: w.root, Env: env, Stdout: files[0], Stderr: files[1],
		WaitDelay: w.engine.options.WaitDelay, Started: func(id int) { pid = id }}.Run(ctx)
	if err != nil && pid != 0 && backend == w.place.url {
		return errors.Join(err, w.releaseOwn(ctx, pid))
	}
	return err
}

// line takes one event.
func (r *run) line(b []byte) {
	if r.learned() != nil {
		return // start says so
	}
	var e event
	if err := json.Unmarshal(b, &e); err != nil {
		if r.broken == nil {
			r.broken = fmt.Errorf("an event that is no JSON of that form: %w", err)
		}
		return
	}
	switch {
	case e.Diagnostic != nil && e.Diagnostic.Severity != "debug" && !e.Diagnostic.Ephemeral:
		r.said = append(r.said, *e.Diagnostic)
	case e.Pre != nil:
		r.began(e.Pre.Metadata)
	case e.Outputs != nil:
		r.ended(e.Outputs.Metadata)
	case e.Failed != nil:
		s := e.Failed.Metadata
		if !r.refreshes[s.URN] {
			r.failed[s.URN] = true
			delete(r.open, s.URN)
			r.w.log.Print(address(s.URN) + ": failed")
		}
	case e.Policy != nil:
		r.policies = append(r.policies, *e.Policy)
	case e.Summary != nil:
		r.summary = e.Summary
	case e.Error != nil:
		r.said = append(r.said, diagnosticEvent{Message: e.Error.Error, Severity: "error"})
	}
}

// opRefresh reads a resource as it is.
const opRefresh = "refresh"

func (r *run) began(s step) {
	if s.Op == opRefresh {
		r.refreshes[s.URN] = true
		return
	}
	if s.Op != "same" {
		r.open[s.URN] = len(r.steps)
	}
	r.steps = append(r.steps, s)
	if r.preview && s.counts() {
		r.w.log.Print(address(s.URN) + ": " + redact.Clean(s.Op))
	}
}

func (r *run) ended(s step) {
	if s.Op == opRefresh {
		delete(r.refreshes, s.URN)
		r.refreshed[s.URN] = s
		return
	}
	delete(r.open, s.URN)
	if s.Type == rootType && s.New != nil {
		r.outputs = s.New
	}
	if !r.preview && s.counts() {
		r.w.log.Print(address(s.URN) + ": " + redact.Clean(s.Op) + " done")
	}
}

// counts reports whether the step changes something that people know of: not the stack
// itself, and no provider.
func (s step) counts() bool {
	return s.Op != "same" && s.Type != rootType && !strings.HasPrefix(s.Type, providerPrefix)
}

// address is the name of a resource for people: its types and its name, as they stand in its
// URN behind the stack and the project.
func address(urn string) string {
	parts := strings.SplitN(urn, "::", 3)
	if len(parts) == 3 {
		urn = parts[2]
	}
	return redact.Clean(urn)
}

// output is the start of what the tool printed to one of its streams.
func (w *workspace) output(name string) string {
	file, err := os.Open(filepath.Join(w.private, name))
	if err != nil {
		return ""
	}
	defer file.Close()
	b, err := io.ReadAll(io.LimitReader(file, 64<<10))
	if err != nil {
		return ""
	}
	return string(b)
}

// failure is the error of a run that did not go well; nil for one that did.
func (r *run) failure(command string, err error) error {
	w := r.w
	if err == nil && (r.summary != nil && (r.summary.Result == "" || r.summary.Result == "succeeded")) && len(r.open) == 0 {
		return nil
	}
	var refused *pipeline.RefusedError
	if errors.As(err, &refused) {
		return err
	}
	if r.summary == nil && strings.Contains(w.printed(), "incorrect passphrase") {
		return w.unknownKey()
	}
	diagnostics := r.diagnostics()
	failed := &pipeline.FailedError{Message: fmt.Sprintf("%s of %s failed", command, w.job.Target()), Next: pipeline.ProviderNext, Operator: "read the output of " + program + " above",
		Diagnostics: diagnostics, Err: err}
	var exit *process.ExitError
	if err == nil {
		failed.Message += fmt.Sprintf(": %s ended well and has not said so of all that it began", program)
	}
	for _, d := range diagnostics {
		if d.Warning {
			continue
		}
		failed.Message += ": " + d.Summary
		if d.Source.File != "" {
			failed.Message += fmt.Sprintf(" (%s)", d.Source)
			failed.Next, failed.Operator = d.Remedy, ""
		} else if d.Where.File != "" {
			failed.Message += fmt.Sprintf(" (%s)", d.Where)
			failed.Operator = fmt.Sprintf("correct %s", d.Where)
		}
		if d.Operator != "" {
			failed.Operator = d.Operator
		}
		if errors.As(err, &exit) && exit.Code > 0 {
			failed.Err = nil // the diagnostics say more than an exit code
		}
		break
	}
	return failed
}
