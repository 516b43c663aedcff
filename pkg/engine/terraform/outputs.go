package terraform

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"time"

	"github.com/metapipe/metapipe/pkg/engine/terraform/planjson"
	"github.com/metapipe/metapipe/pkg/engine/terraform/statefile"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// outputsTime bounds how long the outputs are read after an apply.
const outputsTime = time.Minute

// PlannedOutputs implements pipeline.OutputReader: it reads them from the JSON of the plan.
func (e *Engine) PlannedOutputs(job pipeline.Job, planned pipeline.Planned) ([]pipeline.OutputValue, error) {
	file, err := os.Open(planned.Artifacts[artifactJSON])
	if err != nil {
		return nil, fmt.Errorf("read the outputs of the plan of %s: %w", target(job), err)
	}
	defer file.Close()
	outputs, err := planjson.Outputs(bufio.NewReaderSize(file, 256<<10))
	if err != nil {
		return nil, fmt.Errorf("read the outputs of the plan of %s: %w", target(job), err)
	}
	if err := pipeline.CheckOutputs(outputs); err != nil {
		return nil, &pipeline.FailedError{Message: fmt.Sprintf("the outputs of %s cannot be passed to the stacks that need them: %v", target(job), err),
			Next: pipeline.ProviderNext, Operator: "put out less in " + job.Root()}
	}
	return outputs, nil
}

// AppliedOutputs implements pipeline.OutputReader. The tool reads the state in the workspace
// that the apply has left: a state may be encrypted, as the root says.
func (e *Engine) AppliedOutputs(ctx context.Context, job pipeline.Job, plan pipeline.StoredPlan) ([]pipeline.OutputValue, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), outputsTime)
	defer cancel()
	tool, err := e.sameTool(ctx, job, plan.Receipt)
	if err != nil {
		return nil, err
	}
	w := e.workspaceOf(job, tool)
	if err := w.setEnvironment(); err != nil {
		return nil, err
	}
	pulled, err := w.pull(ctx)
	if err != nil {
		return nil, err
	}
	defer os.Remove(pulled) // as secret as the state; it goes with the workspace otherwise
	file, err := os.Open(pulled)
	if err != nil {
		return nil, w.failed("read the outputs", err)
	}
	defer file.Close()
	outputs, err := statefile.ReadOutputs(bufio.NewReader(file))
	if err != nil {
		return nil, w.failed("read the outputs", err)
	}
	if err := pipeline.CheckOutputs(outputs); err != nil {
		return nil, w.failed("read the outputs", err)
	}
	return outputs, nil
}
