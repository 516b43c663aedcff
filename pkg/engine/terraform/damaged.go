package terraform

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"

	"github.com/metapipe/metapipe/pkg/engine/terraform/statefile"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/text"
)

// unreadableState are the words of the tools about content that they cannot read as a
// state, each with whether that content is no state for certain. A state of another
// version, and an encrypted one without its key, have words of their own.
// https://github.com/hashicorp/terraform/blob/v1.11.4/internal/states/statefile/read.go
// https://github.com/opentofu/opentofu/blob/v1.9.0/internal/encryption/base.go
var unreadableState = []struct {
	words   string
	certain bool
}{
	{"The state file could not be parsed as JSON", true},
	{"The version in the state file is ", true},
	{"has a version number of zero", true},
	{`The state file field "`, true},
	{"The state file does not conform to the expected JSON data structure", true},
	{"invalid data format for decryption", true},
	{"unable to determine data structure during decryption", true},
	{`The state file does not have a "version" attribute`, false}, // Terraform says so of a state that OpenTofu has encrypted
}

// damaged is the refusal of a step that has printed why it failed, where that is since its state
// is not one; nil where it is another failure, or where that cannot be known.
func (w *workspace) damaged(ctx context.Context, printed string) error {
	printed = text.OneLine(printed)
	found, certain := false, false
	for _, u := range unreadableState {
		if strings.Contains(printed, u.words) {
			found, certain = true, certain || u.certain || w.tool.Name == "tofu"
		}
	}
	if !found || w.job.Backend.Zero() {
		return nil
	}
	read, err := w.readState(ctx)
	switch {
	case errors.Is(err, statefile.ErrDamaged):
		return w.refuseDamaged(statefile.Reason(err))
	case err == nil && read || !certain:
		return nil
	}
	return w.refuseDamaged(w.tool.Name + " cannot read it as one")
}

func (w *workspace) refuseDamaged(why string) error {
	return pipeline.DamagedState(w.job.Target(), w.job.Backend.String(), why).Refusal()
}

// readState reads the state without the tool, where that is possible; read is false else.
func (w *workspace) readState(ctx context.Context) (read bool, err error) {
	var state io.ReadCloser
	switch path := w.localState(); {
	case path != "":
		state, err = os.Open(path)
	case w.engine.options.OpenState != nil:
		state, err = w.engine.options.OpenState(ctx, w.job)
	}
	if err != nil || state == nil {
		return false, err
	}
	_, err = statefile.Read(state)
	return true, errors.Join(err, state.Close())
}

// record reads a state file, and refuses one that is not a state.
func (w *workspace) record(path string) (pipeline.StateRecord, error) {
	state, err := statefile.Record(path)
	if errors.Is(err, statefile.ErrDamaged) {
		return state, w.refuseDamaged(statefile.Reason(err))
	}
	return state, err
}

// withoutPlan drops what the tool said of a state that is not one: a reader would wait for
// a lock that no one holds.
func withoutPlan(planned pipeline.Planned, err error) (pipeline.Planned, error) {
	if pipeline.AsLost(err) != nil {
		planned.Plan = pipeline.Plan{Tool: planned.Plan.Tool}
	}
	return planned, err
}
