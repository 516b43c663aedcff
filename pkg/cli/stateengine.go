package cli

import (
	"context"
	"io"

	"github.com/metapipe/metapipe/pkg/engine/terraform"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// engine is an engine that can also look at a state that the tool cannot read.
func (m *manager) engine() *terraform.Engine { return terraform.New(m.engineOptions()) }

func (m *manager) engineOptions() terraform.Options {
	o := m.step.engineOptions()
	o.OpenState = func(ctx context.Context, job pipeline.Job) (io.ReadCloser, error) {
		if m.store == nil || m.config.Manager.State.Backend.Type != "" {
			return nil, nil
		}
		return m.store.Open(ctx, pipeline.StateKey(job.Target()))
	}
	return o
}
