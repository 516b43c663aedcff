package ansible

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/metapipe/metapipe/pkg/engine/process"
	"github.com/metapipe/metapipe/pkg/engine/redact"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// event is one line of the callback.
type event struct {
	Event      string            `json:"event"`
	Version    string            `json:"version"`
	Play       string            `json:"play"`
	Status     string            `json:"status"` // ok, failed, skipped or unreachable
	Host       string            `json:"host"`
	ID         string            `json:"id"` // of the task
	Task       string            `json:"task"`
	Path       string            `json:"path"`
	Action     string            `json:"action"`
	Changed    bool              `json:"changed"`
	Censored   bool              `json:"censored"`
	Ignored    bool              `json:"ignored"`
	InLoop     bool              `json:"in_loop"` // one item of a loop
	Loop       bool              `json:"loop"`    // all items of a loop together
	Item       string            `json:"item"`
	SkipReason string            `json:"skip_reason"`
	Target     string            `json:"target"`
	Diff       []diff            `json:"diff"`
	Said       map[string]string `json:"said"`
}

// diff is what a module says of a change.
type diff struct {
	Before   *side `json:"before"`
	After    *side `json:"after"`
	Prepared *side `json:"prepared"`
	Made     bool  `json:"made"` // of what was not there
}

// side is a text, or a value.
type side struct {
	Text  *string         `json:"text"`
	Cut   bool            `json:"cut"`
	Sum   string          `json:"sum"` // SHA-256 of the whole text where it is cut
	Value json.RawMessage `json:"value"`
}

// result is what one task did on one host, or one item of its loop.
type result struct {
	event
	address string
}

// run is one run of the playbook.
type run struct {
	w     *workspace
	check bool

	version   string
	plays     int
	noHosts   []string // plays that no host matches
	began     bool     // a task did
	ended     bool     // all plays did
	unchecked *event
	results   []result
	starts    []result          // tasks that began, by host
	open      map[[2]string]int // host and task → index of starts
	names     map[string]int    // how often an address was given
	bases     map[[2]string]string
	items     map[[2]string]int
	broken    error // an event that cannot be read
}

// play runs the playbook: check predicts, else it is carried out.
func (w *workspace) play(ctx context.Context, check bool) (*run, error) {
	r := &run{w: w, check: check, open: map[[2]string]int{}, names: map[string]int{}, bases: map[[2]string]string{}, items: map[[2]string]int{}}
	settings, err := json.Marshal(map[string]any{"check": check, "unchecked": append([]string{}, w.job.Tool().Ansible.RunsInCheck...)})
	if err != nil {
		return r, w.failed("write the callback", err)
	}
	events := filepath.Join(w.private, "events.jsonl")
	for name, content := range map[string][]byte{"settings.json": settings, "events.jsonl": nil} {
		if err := w.write(name, content); err != nil {
			return r, err
		}
	}
	args := w.args
	if check {
		args = append([]string{"--check", "--diff"}, args...)
	}
	ended, followed := make(chan struct{}), make(chan error, 1)
	go func() { followed <- process.Follow(events, ended, r.line) }()
	err = w.exec(ctx, append(args, w.playbook))
	close(ended)
	if lost := <-followed; lost != nil {
		err = errors.Join(err, w.failed("read the events of "+program, lost))
	}
	r.readSecrets()
	if r.broken != nil {
		err = errors.Join(err, w.failed("read the events of "+program, r.broken))
	}
	return r, err
}

// exec runs the tool in the root of the stack with its output in files: it goes on, and says
// what it did, also when this process is killed.
func (w *workspace) exec(ctx context.Context, args []string) (err error) {
	var files []*os.File
	for _, name := range []string{"stdout", "stderr"} {
		file, err := os.OpenFile(filepath.Join(w.private, name), os.O_WRONLY|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o600)
		if err != nil {
			return w.written("record the output of "+program, err)
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		files = append(files, file)
	}
	return process.Process{Path: w.tool.path, Args: args, Dir: w.root, Env: append(w.env, "PWD="+w.root), Stdout: files[0], Stderr: files[1],
		WaitDelay: w.engine.options.WaitDelay}.Run(ctx)
}

// readSecrets adds what the vault has decrypted since.
func (r *run) readSecrets() {
	content, err := os.ReadFile(filepath.Join(r.w.private, "secrets.jsonl"))
	if err != nil {
		if !os.IsNotExist(err) {
			r.broken = err
		}
		return
	}
	before := len(r.w.secrets)
	for line := range bytes.Lines(content) {
		var one struct {
			Secret string   `json:"secret"`
			Values []string `json:"values"`
		}
		if json.Unmarshal(line, &one) != nil {
			continue // the end of a line that is being written
		}
		r.w.secrets.AddAll(one.Secret)
		r.w.secrets.AddAll(strings.TrimSpace(one.Secret))
		for _, value := range one.Values {
			r.w.secrets.AddAll(value)
		}
	}
	if len(r.w.secrets) != before {
		r.w.refilter()
	}
}

// line takes one event.
func (r *run) line(b []byte) {
	var e event
	if err := json.Unmarshal(b, &e); err != nil {
		r.broken = fmt.Errorf("an event that is no JSON: %w", err)
		return
	}
	r.readSecrets()
	switch e.Event {
	case "version":
		r.version = e.Version
	case "play":
		r.plays++
	case "no_hosts":
		r.noHosts = append(r.noHosts, e.Play)
	case "unchecked":
		r.unchecked = &e
	case "task":
		r.began = true
	case "start":
		r.began = true
		key := [2]string{e.Host, e.ID}
		r.open[key] = len(r.starts)
		r.starts = append(r.starts, result{event: e, address: r.base(e)})
	case "result":
		r.took(e)
	case "end":
		r.ended = true
	}
}

// took takes a result and says so in the log.
func (r *run) took(e event) {
	key := [2]string{e.Host, e.ID}
	if !e.InLoop {
		delete(r.open, key)
	}
	address := r.base(e)
	if e.InLoop {
		r.items[key]++
		item := redact.Clean(e.Item)
		if item == "" {
			item = fmt.Sprintf("item %d", r.items[key])
		}
		address += " [" + item + "]"
	}
	r.results = append(r.results, result{event: e, address: address})
	said := e.Status
	switch {
	case e.Loop && e.Status == "ok":
		return // its items have said so
	case e.Status == "ok" && e.Changed && r.check:
		said = "would change"
	case e.Status == "ok" && e.Changed:
		said = "changed"
	case e.Status == "failed" && e.Ignored:
		said = "failed, which the playbook ignores"
	}
	r.w.log.Print(address + ": " + said)
}

// base is the address of a task on a host. Tasks with one name are told apart by their order.
func (r *run) base(e event) string {
	key := [2]string{e.Host, e.ID}
	if known, ok := r.bases[key]; ok {
		return known
	}
	base := redact.Clean(e.Host) + ": " + redact.Clean(e.Task)
	if r.names[base]++; r.names[base] > 1 {
		base += fmt.Sprintf(" #%d", r.names[base])
	}
	r.bases[key] = base
	return base
}

// stderr is the start of what the tool printed there.
func (w *workspace) stderr() string {
	file, err := os.Open(filepath.Join(w.private, "stderr"))
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
	if r.unchecked != nil {
		return w.realTask("the task "+pipeline.Quote(w.filter.Name(redact.Clean(r.unchecked.Task))), w.place(r.unchecked.Path))
	}
	if err == nil && r.ended && len(r.open) == 0 && r.plays > len(r.noHosts) && r.version == w.tool.version {
		w.log.Print(w.stderr()) // warnings
		return nil
	}
	diagnostics := r.diagnostics()
	failed := &pipeline.FailedError{Message: fmt.Sprintf("%s of %s failed", command, w.job.Target()), Next: pipeline.ProviderNext, Operator: "read the output of " + program + " above",
		Diagnostics: diagnostics, Err: err}
	var exit *process.ExitError
	switch {
	case err == nil && r.version != w.tool.version:
		failed.Message += fmt.Sprintf(": %s said that it is version %s and ran %s", w.tool.path, w.tool.version, pipeline.Quote(r.version))
		failed.Operator = "put the program itself into PATH, before whatever picks a version"
	case err == nil && r.ended && r.plays == len(r.noHosts):
		failed.Message += ": no host matches its plays, so that nothing of it was looked at"
		failed.Operator = "compare `hosts` of the plays with the groups of the inventory"
	case err == nil:
		failed.Message += fmt.Sprintf(": %s ended well and has not said how %d of its tasks ended", program, len(r.open))
	case len(diagnostics) > 0:
		first := diagnostics[0]
		failed.Message += ": " + first.Summary
		if first.Source.File != "" {
			failed.Message += fmt.Sprintf(" (%s)", first.Source)
			failed.Next, failed.Operator = first.Remedy, ""
		} else if first.Where.File != "" {
			failed.Message += fmt.Sprintf(" (%s)", first.Where)
			failed.Operator = fmt.Sprintf("correct %s", first.Where)
		}
		if first.Operator != "" {
			failed.Operator = first.Operator
		}
		if errors.As(err, &exit) {
			failed.Err = nil // the diagnostics say more than an exit code
		}
	}
	return failed
}
