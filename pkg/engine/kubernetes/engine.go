package kubernetes

import (
	"context"
	"time"

	"github.com/metapipe/metapipe/pkg/engine/process"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// The names of the tools in metapipe.yml and in receipts. What a stack of Crossplane applies
// are composite resources, which are ready when all that they are composed of is.
const (
	toolName       = "kubernetes"
	crossplaneName = "crossplane"
)

// program is what plans and applies with both.
const program = "kubectl"

const (
	// defaultWaitDelay is how long a kubectl that got its SIGINT may take to end.
	defaultWaitDelay = 30 * time.Second
	// defaultWait is how long an apply waits until its objects are ready.
	defaultWait = 5 * time.Minute
	// afterTime bounds what is looked at in the cluster after an apply that was stopped.
	afterTime = 30 * time.Second
)

// Options is what an Engine needs from outside.
type Options struct {
	// Environ is the environment of this process. The tool sees next to nothing of it.
	Environ process.Environ
	// EnvironOf is the environment for one target of a Fleet, where its credentials are its
	// own; nil: Environ for all.
	EnvironOf func(context.Context, pipeline.Job) ([]string, error)
	// CacheDir is where the versions of binaries are remembered; empty: nowhere.
	CacheDir string
	// BinaryPath names the tool of this run. It counts where it is a kubectl.
	BinaryPath string
	// WaitDelay is how long a cancelled run may take to end by itself; 0 means 30 seconds.
	WaitDelay time.Duration
	// Secrets returns the texts that no report and no log may hold; nil: there are none.
	Secrets func() []string
}

// Engine implements pipeline.Engine. It is safe for concurrent use.
type Engine struct{ options Options }

// What the engine can do; see pkg/pipeline/capability.go. The API server keeps the state, and
// needs no lock: each write says which version it is made on.
var (
	_ pipeline.Engine          = (*Engine)(nil)
	_ pipeline.ReadOnlyPlanner = (*Engine)(nil)
	_ pipeline.OutputReader    = (*Engine)(nil)
	_ pipeline.StateReader     = (*Engine)(nil)
	_ pipeline.FleetEngine     = (*Engine)(nil)
	_ pipeline.ToolFinder      = (*Engine)(nil)
	_ pipeline.RootReader      = (*Engine)(nil)
)

// New returns an Engine.
func New(o Options) *Engine {
	if o.WaitDelay <= 0 {
		o.WaitDelay = defaultWaitDelay
	}
	return &Engine{options: o}
}
