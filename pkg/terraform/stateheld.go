package terraform

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// stateAddresses are the addresses of the managed resources in the state as it lies in its backend.
func (w *workspace) stateAddresses(ctx context.Context) (map[string]bool, error) {
	if path := w.localState(); path != "" {
		return Addresses(path)
	}
	file, err := w.pull(ctx)
	if err != nil {
		return nil, err
	}
	addresses, err := Addresses(file)
	return addresses, errors.Join(err, os.Remove(file))
}

func Addresses(file string) (map[string]bool, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the state: %w", err)
	}
	var state struct {
		Resources []struct {
			Module, Mode, Type, Name string
			Instances                []struct {
				Key     json.RawMessage `json:"index_key"`
				Deposed string          `json:"deposed"`
			}
		}
	}
	if err := json.Unmarshal(raw, &state); err != nil {
		return nil, errors.New("read the state: it is not in the form of the tool") // the cause could quote a value
	}
	addresses := map[string]bool{}
	for _, r := range state.Resources {
		address := strings.TrimPrefix(r.Module+"."+r.Type+"."+r.Name, ".")
		for _, i := range r.Instances {
			if r.Mode == "managed" && i.Deposed == "" {
				addresses[address+indexOf(i.Key)] = true
			}
		}
	}
	return addresses, nil
}

// indexOf writes the key of an instance as addresses have it.
func indexOf(key json.RawMessage) string {
	var name string
	switch {
	case len(key) == 0 || string(key) == "null":
		return ""
	case json.Unmarshal(key, &name) == nil:
		return "[" + strconv.Quote(name) + "]"
	}
	return "[" + string(key) + "]"
}

// restored leaves out what was created, or replaced, with the content that the state had
// before: the tool writes no new state when all that it did was to make what somebody had
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
