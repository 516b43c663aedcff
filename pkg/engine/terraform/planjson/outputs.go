package planjson

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/engine/jsonvalue"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Outputs reads from the output of `show -json` the outputs that the root has after the plan,
// in clear, ordered by name. What the plan changes is not known to the stacks that need it: it
// is so only when the plan is applied, and what they read beside it, such as a data source,
// does not know it before.
func Outputs(r io.Reader) ([]pipeline.OutputValue, error) {
	outputs := []pipeline.OutputValue{}
	reader := jsonvalue.NewReader(r)
	err := reader.Object(func(key string) error {
		return reader.Only(key, "output_changes", func() error {
			return reader.Object(func(name string) error {
				var c changeBody
				if err := reader.Decode(&c); err != nil {
					return err
				}
				action, err := c.action()
				if err == nil && action != pipeline.ActionDelete {
					outputs = append(outputs, c.outputValue(name, action))
				}
				return err
			})
		})
	})
	if err != nil {
		return nil, fmt.Errorf("plan JSON: %w", err)
	}
	slices.SortFunc(outputs, func(a, b pipeline.OutputValue) int { return strings.Compare(a.Name, b.Name) })
	return outputs, nil
}

func (c changeBody) outputValue(name string, action pipeline.Action) pipeline.OutputValue {
	o := pipeline.OutputValue{Name: name, Sensitive: jsonvalue.ContainsTrue(c.BeforeSensitive) || jsonvalue.ContainsTrue(c.AfterSensitive)}
	if action == pipeline.ActionNone && !jsonvalue.ContainsTrue(c.AfterUnknown) {
		o.Value = []byte(jsonvalue.Text(c.After, nil))
	}
	return o
}
