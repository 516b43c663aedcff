package actions

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/sethvargo/go-githubactions"

	"github.com/metapipe/metapipe/pkg/text"
)

// Options configure a Runner.
type Options struct {
	Context Context
	// Lookup reads the environment; IDToken needs it.
	Lookup func(string) (string, bool)
	// Commands is the job's log, the standard output of the step: workflow
	// commands and log lines go there. It is not used outside of Actions.
	Commands io.Writer
	// Outputs receives outputs as name=value lines outside of Actions; nil drops
	// them.
	Outputs io.Writer
	// HTTP carries the request for an ID token; nil means a client of our own.
	HTTP *http.Client
	// Sleep and MaxWait are for the pauses between those requests; nil and 0 mean
	// those of package retry.
	Sleep   func(context.Context, time.Duration) error
	MaxWait time.Duration
}

// Runner writes what a step passes to GitHub Actions. Outside of Actions masks,
// groups, annotations and summaries go nowhere: there the caller prints. It is
// safe for concurrent use.
type Runner struct {
	o      Options
	mu     sync.Mutex
	issued map[string]int // annotations so far, by command
	hidden []string       // the secrets that were masked
}

// NewRunner returns a runner for one step.
func NewRunner(o Options) *Runner {
	if o.Lookup == nil {
		o.Lookup = func(string) (string, bool) { return "", false }
	}
	if o.Commands == nil {
		o.Commands = io.Discard
	}
	if o.HTTP == nil {
		o.HTTP = &http.Client{Timeout: 30 * time.Second}
	}
	return &Runner{o: o, issued: map[string]int{}}
}

// maxOutput is what all outputs of a job may have together:
// https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax#jobsjob_idoutputs
const maxOutput = 1 << 20

var outputName = text.Pattern(`^[A-Za-z_][A-Za-z0-9_-]*$`)

// SetOutput sets an output of the step. GitHub silently drops the outputs of a
// job that hold a masked text.
func (r *Runner) SetOutput(name, value string) error {
	if len(name) > 100 || !outputName().MatchString(name) {
		return fmt.Errorf("set output %.60q: use letters, digits, - and _", name)
	}
	if len(value) > maxOutput {
		return fmt.Errorf("set output %s: it has %d bytes and GitHub takes at most %d", name, len(value), maxOutput)
	}
	value = strings.ToValidUTF8(value, "\uFFFD")
	if !r.o.Context.InActions {
		return r.printOutput(name, value)
	}
	delimiter, err := delimiterFor(value)
	if err != nil {
		return fmt.Errorf("set output %s: %w", name, err)
	}
	text := fmt.Sprintf("%s<<%s\n%s\n%s\n", name, delimiter, value, delimiter)
	if err := appendFile("GITHUB_OUTPUT", r.o.Context.OutputFile, text); err != nil {
		return fmt.Errorf("set output %s: %w", name, err)
	}
	return nil
}

func (r *Runner) printOutput(name, value string) error {
	if r.o.Outputs == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, err := fmt.Fprintf(r.o.Outputs, "%s=%s\n", name, value); err != nil {
		return fmt.Errorf("print output %s: %w", name, err)
	}
	return nil
}

// delimiterFor returns a random line that does not occur in value: whoever
// could foresee it could end the value early and set outputs of their own.
func delimiterFor(value string) (string, error) {
	for range 8 {
		var b [16]byte
		if _, err := rand.Read(b[:]); err != nil {
			return "", err
		}
		if d := "metapipe_" + hex.EncodeToString(b[:]); !strings.Contains(value, d) {
			return d, nil
		}
	}
	return "", errors.New("found no delimiter")
}

// appendFile adds text to one of the runner's command files in a single write.
func appendFile(variable, path, text string) (err error) {
	if path == "" {
		return fmt.Errorf("%s is not set", variable)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("%s: %w", variable, err)
	}
	defer func() {
		if closeErr := f.Close(); err == nil && closeErr != nil {
			err = fmt.Errorf("%s: %w", variable, closeErr)
		}
	}()
	if _, err := f.WriteString(text); err != nil {
		return fmt.Errorf("%s: %w", variable, err)
	}
	return nil
}

// write sends one workflow command; r.mu is held. The commands are encoded by
// go-githubactions but written here, since its own methods panic on errors.
func (r *Runner) write(c *githubactions.Command) error {
	if !r.o.Context.InActions {
		return nil
	}
	if _, err := io.WriteString(r.o.Commands, c.String()+"\n"); err != nil {
		return fmt.Errorf("write workflow command %s: %w", c.Name, err)
	}
	return nil
}

// clip cuts s to at most n bytes at a rune boundary, with an ellipsis.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	cut := n - len("…")
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
