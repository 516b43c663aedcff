package statefile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/engine/jsonvalue"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// ReadOutputs streams a state file, version 4, and returns its root outputs in clear,
// ordered by name; not nil, also where there are none. A state of another version, or an
// encrypted one, is an error: what it holds is not known.
func ReadOutputs(state io.Reader) ([]pipeline.OutputValue, error) {
	r := outputsReader{Reader: jsonvalue.NewReader(state), outputs: []pipeline.OutputValue{}}
	err := r.Object(r.member)
	if err == nil && r.version != newestVersion {
		err = fmt.Errorf("its version is %d, and %d is known", r.version, newestVersion)
	}
	if err != nil {
		return nil, fmt.Errorf("read the outputs of the state: %w", err)
	}
	slices.SortFunc(r.outputs, func(a, b pipeline.OutputValue) int { return strings.Compare(a.Name, b.Name) })
	return r.outputs, nil
}

type outputsReader struct {
	jsonvalue.Reader
	version int
	outputs []pipeline.OutputValue
}

func (r *outputsReader) member(key string) error {
	switch {
	case strings.EqualFold(key, "version"): // as the tools read it
		return r.Decode(&r.version)
	case strings.EqualFold(key, "outputs"):
		return r.Object(r.output)
	case strings.EqualFold(key, "encrypted_data"):
		return errors.New("it is encrypted")
	}
	return r.Skip()
}

func (r *outputsReader) output(name string) error {
	var o struct {
		Sensitive bool            `json:"sensitive"`
		Value     json.RawMessage `json:"value"`
	}
	if err := r.Decode(&o); err != nil {
		return err
	}
	if o.Value == nil {
		return fmt.Errorf("the output %s has no value", pipeline.Quote(name))
	}
	r.outputs = append(r.outputs, pipeline.OutputValue{Name: name, Value: o.Value, Sensitive: o.Sensitive})
	return nil
}
