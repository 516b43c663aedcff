package record

import (
	"context"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// VerifyRequest holds the variables that are stored of a request to its facts:
// ErrTampered when they are of another one.
func VerifyRequest(ctx context.Context, s Records, request pipeline.Request) error {
	_, err := UnsealBytes(ctx, s, s.Sealer, RequestVariablesKey(request.Customer, request.ID), pipeline.VariablesBinding(request))
	return err
}
