package record

import (
	"context"
	"errors"
	"fmt"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Opened is a record of the last apply with its variables.
type Opened struct {
	Record    LastApply
	Variables []byte
	Found     bool
}

func OpenLastApply(ctx context.Context, s Records, c pipeline.CustomerName, env pipeline.Environment) (Opened, error) {
	stored, found, err := LoadLastApply(ctx, s, c, env)
	if err != nil || !found {
		return Opened{}, err
	}
	variables, err := stored.OpenVariables(ctx, s, s.Sealer)
	if errors.Is(err, pipeline.ErrNotFound) {
		err = fmt.Errorf("%s: %w: the variables of the last apply are gone", stored.Variables, pipeline.ErrTampered)
	}
	return Opened{stored, variables, true}, err
}
