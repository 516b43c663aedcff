package terraform

import (
	"context"
	"errors"
	"os"

	"github.com/metapipe/metapipe/pkg/engine/terraform/statefile"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// stateAddresses are the addresses of the managed resources in the state as it lies in its backend.
func (w *workspace) stateAddresses(ctx context.Context) (map[string]bool, error) {
	if path := w.localState(); path != "" {
		return statefile.Addresses(path)
	}
	file, err := w.pull(ctx)
	if err != nil {
		return nil, err
	}
	addresses, err := statefile.Addresses(file)
	return addresses, errors.Join(err, os.Remove(file))
}

// restored leaves out what was created, or replaced, with the content that the state had
// before: the tool writes no new state when all that it did was to make what someone had
// removed or changed. held are the addresses in the state that was not written anew.
func restored(done []pipeline.AppliedResource, held map[string]bool) (left []pipeline.AppliedResource) {
	made := map[string]bool{}
	for _, r := range done {
		if r.Action == pipeline.ActionCreate && !r.Failed && !r.Unfinished && held[r.Address] {
			made[r.Address] = true
		}
	}
	for _, r := range done {
		if !made[r.Address] {
			left = append(left, r)
		}
	}
	return left
}
