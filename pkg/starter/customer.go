package starter

import (
	"fmt"
	"io/fs"
	"path"

	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/variables"
	"github.com/metapipe/metapipe/workflows"
)

// Customer are the first files of a customer of a manager, by their slash-separated paths. schema is that of the
// manager, nil for none; allowed are the environments that the customer may use.
func Customer(schema *variables.Schema, allowed []pipeline.Environment) (map[string][]byte, error) {
	first, err := variables.First(schema, allowed)
	if err != nil {
		return nil, err
	}
	all := map[string][]byte{path.Join(config.DefaultPath, pipeline.VariablesFile): first}
	for from, to := range map[string]string{
		"customer/trigger-infra.yml":        ".github/workflows/trigger-infra.yml",
		"customer/PULL_REQUEST_TEMPLATE.md": ".github/PULL_REQUEST_TEMPLATE.md",
	} {
		if all[to], err = fs.ReadFile(workflows.Files, from); err != nil {
			return nil, fmt.Errorf("read the shipped workflows: %w", err)
		}
	}
	return all, nil
}
