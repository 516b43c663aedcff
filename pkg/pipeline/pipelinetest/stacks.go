package pipelinetest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// WithStacks is a request that works on each of the stacks in place of the unnamed one, in
// each of its environments. Its record is written anew.
func (w *Setup) WithStacks(request pipeline.Request, stacks ...pipeline.StackName) pipeline.Request {
	w.T.Helper()
	ctx, sealed := context.Background(), record.RequestVariablesKey(request.Customer, request.ID)
	raw := Must[[]byte](w.T)(record.UnsealBytes(ctx, w.Store, w.Sealer, sealed, pipeline.VariablesBinding(request)))
	var targets []pipeline.RequestTarget
	for _, t := range request.Targets {
		for _, stack := range stacks {
			t.Stack = stack
			targets = append(targets, t)
		}
	}
	request.Targets = targets
	key := record.RequestKey(request.Customer, request.ID)
	if err := errors.Join(w.Store.Delete(ctx, key), w.Store.Delete(ctx, sealed),
		record.SealInto(ctx, w.Store, w.Sealer, sealed, pipeline.VariablesBinding(request), bytes.NewReader(raw))); err != nil {
		w.T.Fatal(err)
	}
	w.Sign(key, string(Must[[]byte](w.T)(json.Marshal(request))))
	return request
}

// Stack is the input of a stack of an environment.
func Stack(in pipeline.TargetInput, stack pipeline.StackName) pipeline.TargetInput {
	in.Stack = stack
	in.Backend = pipeline.State{}.Target(in.Target(), "/state")
	return in
}
