package ansible

import (
	"context"
	"time"

	"github.com/metapipe/metapipe/pkg/engine/process"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// toolName is the name of the tool in metapipe.yml and in receipts.
const toolName = "ansible"

// defaultWaitDelay is how long a run that got its SIGINT may take to end.
const defaultWaitDelay = 90 * time.Second

// Options is what an Engine needs from outside.
type Options struct {
	// Environ is the environment of this process. The tool sees an allow-list of it.
	Environ process.Environ
	// EnvironOf is the environment for one target of a Fleet, where its credentials are its
	// own; nil: Environ for all.
	EnvironOf func(context.Context, pipeline.Job) ([]string, error)
	// BinaryPath names the tool of this run. It counts where it is an ansible-playbook.
	BinaryPath string
	// WaitDelay is how long a cancelled run may take to end by itself; 0 means 90 seconds.
	WaitDelay time.Duration
	// Secrets returns the texts that no report and no log may hold; nil: there are none.
	Secrets func() []string
}

// Engine implements pipeline.Engine. It is safe for concurrent use.
type Engine struct{ options Options }

// What the engine can do; see pkg/pipeline/capability.go. Ansible has no outputs, no state
// and no locks.
var (
	_ pipeline.Engine          = (*Engine)(nil)
	_ pipeline.ReadOnlyPlanner = (*Engine)(nil)
	_ pipeline.FleetEngine     = (*Engine)(nil)
	_ pipeline.ToolFinder      = (*Engine)(nil)
	_ pipeline.RootReader      = (*Engine)(nil)
	_ pipeline.Stateless       = (*Engine)(nil)
)

// KeepsNoState implements pipeline.Stateless.
func (*Engine) KeepsNoState() {}

// New returns an Engine.
func New(o Options) *Engine {
	if o.WaitDelay <= 0 {
		o.WaitDelay = defaultWaitDelay
	}
	return &Engine{options: o}
}
