package cloudformation

import (
	"context"
	"time"

	"github.com/metapipe/metapipe/pkg/engine/process"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// toolName is the name of the tool in metapipe.yml and in receipts, and apiVersion that of its API.
const (
	toolName   = pipeline.CloudFormationTool
	apiVersion = "2010-05-15"
)

// defaultWaitDelay is how long an operation that was asked to stop may take to end.
const defaultWaitDelay = 90 * time.Second

// Options is what an Engine needs from outside.
type Options struct {
	// Environ is the environment of this process. The engine reads an allow-list of it.
	Environ process.Environ
	// EnvironOf is the environment for one target of a Fleet, where its credentials are its
	// own; nil: Environ for all.
	EnvironOf func(context.Context, pipeline.Job) ([]string, error)
	// WaitDelay is how long a cancelled operation is waited for; 0 means 90 seconds.
	WaitDelay time.Duration
	// Secrets returns the texts that no report and no log may hold; nil: there are none.
	Secrets func() []string
}

// Engine implements pipeline.Engine. It is safe for concurrent use.
type Engine struct{ options Options }

// What the engine can do; see pkg/pipeline/capability.go. CloudFormation lets one operation at a time
// work on a stack, and there is no lock that someone could release.
var (
	_ pipeline.Engine          = (*Engine)(nil)
	_ pipeline.ReadOnlyPlanner = (*Engine)(nil)
	_ pipeline.OutputReader    = (*Engine)(nil)
	_ pipeline.StateReader     = (*Engine)(nil)
	_ pipeline.LockFinder      = (*Engine)(nil)
	_ pipeline.FleetEngine     = (*Engine)(nil)
	_ pipeline.RootReader      = (*Engine)(nil)
	_ pipeline.NeedsReader     = (*Engine)(nil)
)

// New returns an Engine.
func New(o Options) *Engine {
	if o.WaitDelay <= 0 {
		o.WaitDelay = defaultWaitDelay
	}
	return &Engine{options: o}
}

func tool() pipeline.ToolVersion {
	return pipeline.ToolVersion{Name: toolName, Version: apiVersion}
}
