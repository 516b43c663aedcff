package terraform

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/engine/redact"
	"github.com/metapipe/metapipe/pkg/engine/terraform/output"
	"github.com/metapipe/metapipe/pkg/engine/terraform/planjson"
	"github.com/metapipe/metapipe/pkg/engine/terraform/statefile"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// fedSecrets are the values of the variables that the root declares sensitive or
// ephemeral: all that can be known of a plan's secrets while it is being made. Those
// that are ephemeral are in no plan, so an apply knows them from here alone.
func (w *workspace) fedSecrets(values map[string]json.RawMessage) (redact.Secrets, error) {
	set := redact.Known(w.engine.secrets())
	for name, variable := range w.module.Variables {
		if !variable.Sensitive && !w.hidden[name] && !slices.Contains(w.module.Ephemeral, name) {
			continue
		}
		value, given := values[name]
		if !given {
			var err error
			if value, err = json.Marshal(variable.Default); err != nil {
				return nil, fmt.Errorf("default of variable %q: %w", name, err)
			}
		}
		if err := set.AddRaw(value); err != nil {
			return nil, fmt.Errorf("variable %q: %w", name, err)
		}
	}
	return set, w.addNeeded(set)
}

// knownSecrets are those of the environment, and those that were fed.
func (w *workspace) knownSecrets() []string {
	return slices.Concat(w.engine.secrets(), slices.Sorted(maps.Keys(w.fedSet)))
}

func (e *Engine) secrets() []string {
	if e.options.Secrets == nil {
		return nil
	}
	return e.options.Secrets()
}

// planSecrets is what an apply must know of its plan to show nothing sensitive.
type planSecrets struct {
	known redact.Secrets
	// later are the marks of the values that are sensitive and become known by
	// the apply, by the address of their resource.
	later map[string]any
	// unknown are the outputs that the apply computes.
	unknown map[string]bool
	// unread: the plan could not be read, so nothing of the above is known.
	unread bool
}

// secretsOf reads the secrets from the plan JSON that was kept with the plan.
func (w *workspace) secretsOf(file string) planSecrets {
	content, err := os.Open(file)
	if err != nil {
		return planSecrets{unread: true}
	}
	defer content.Close()
	reading, err := planjson.Parse(bufio.NewReaderSize(content, 256<<10), planjson.ReadOptions{Secrets: w.knownSecrets()})
	if err != nil {
		return planSecrets{unread: true}
	}
	secrets := planSecrets{known: reading.Secrets, later: reading.Later, unknown: map[string]bool{}}
	for _, o := range reading.Plan.Outputs {
		secrets.unknown[o.Name] = o.After.Unknown
	}
	return secrets
}

// redactor is one for everything that is known before the apply.
func (s planSecrets) redactor() *redact.Filter {
	if s.unread {
		return &redact.Filter{Blind: true}
	}
	return redact.NewFilter(s.known)
}

// redactApplied takes the secrets out of outputs and diagnostics. Outputs may be
// made from sensitive values although the manager marked them as harmless. What
// only the apply made known, such as a generated password, is read from the new
// state; that is fetched only where something could hold it.
func (w *workspace) redactApplied(ctx context.Context, secrets planSecrets, output *output.Stream, applied *pipeline.Applied) {
	applied.Outputs = output.Results()
	shown := false
	for _, o := range applied.Outputs {
		shown = shown || !o.Sensitive
	}
	for _, d := range applied.Done {
		shown = shown || strings.Contains(d.Address, `["`)
	}
	if !shown && len(output.Diagnostics) == 0 {
		return
	}
	before := secrets.redactor()
	after := before
	for i := range applied.Done {
		applied.Done[i].Address = before.Address(applied.Done[i].Address)
	}
	if !secrets.unread && len(secrets.later) > 0 && applied.Started {
		after = w.laterRedactor(ctx, secrets, applied.Outputs, len(output.Diagnostics) > 0)
	}
	for i := range applied.Outputs {
		o := &applied.Outputs[i]
		if secrets.unknown[o.Name] || secrets.unread {
			after.Output(o)
		} else {
			before.Output(o)
		}
	}
	applied.Diagnostics = w.diagnose(output.Diagnostics, after)
}

// laterRedactor also knows the sensitive values of the state after the apply.
func (w *workspace) laterRedactor(ctx context.Context, secrets planSecrets, outputs []pipeline.Output, needed bool) *redact.Filter {
	for _, o := range outputs {
		needed = needed || !o.Sensitive && secrets.unknown[o.Name]
	}
	if !needed {
		return secrets.redactor()
	}
	all := maps.Clone(secrets.known)
	if err := w.stateSecrets(ctx, all, secrets.later); err != nil {
		return &redact.Filter{Blind: true}
	}
	return redact.NewFilter(all)
}

// stateSecrets adds the sensitive values of the state as it is now.
func (w *workspace) stateSecrets(ctx context.Context, set redact.Secrets, marks map[string]any) error {
	path := w.kept
	if path == "" {
		path = w.localState()
	}
	if path == "" {
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		pulled, err := w.pull(limited)
		if err != nil {
			return err
		}
		defer os.Remove(pulled) // as secret as the state; it goes with the workspace otherwise
		path = pulled
	}
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read the state: %w", err)
	}
	defer file.Close()
	return statefile.AddSecrets(bufio.NewReader(file), set, marks)
}
