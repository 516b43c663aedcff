package pulumi

import (
	"context"
	"sync"
	"time"

	"github.com/metapipe/metapipe/pkg/engine/process"
	"github.com/metapipe/metapipe/pkg/engine/tree"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// toolName is the name of the tool in metapipe.yml and in receipts.
const toolName = "pulumi"

// defaultWaitDelay is how long a run that got its SIGINT may take to end.
const defaultWaitDelay = 5 * time.Minute

// Options is what an Engine needs from outside.
type Options struct {
	// Environ is the environment of this process. The tool sees an allow-list of it.
	Environ process.Environ
	// EnvironOf is the environment for one target of a Fleet, where its credentials are its
	// own; nil: Environ for all.
	EnvironOf func(context.Context, pipeline.Job) ([]string, error)
	// CacheDir keeps what the tool said about its version; empty: it is asked each time.
	CacheDir string
	// BinaryPath names the tool of this run. It counts where it is a pulumi.
	BinaryPath string
	// WaitDelay is how long a cancelled run may take to end by itself; 0 means 5 minutes.
	WaitDelay time.Duration
	// Secrets returns the texts that no report and no log may hold; nil: there are none.
	Secrets func() []string
	// Passphrases returns the passphrases of the secrets of job's target, one for each key
	// of metapipe that is at hand: the first one is for new stacks. nil: only plans on a
	// scratch state are possible.
	Passphrases func(context.Context, pipeline.Job) ([]string, error)
	// Objects are those of the store, where it is a bucket.
	Objects Objects
}

// Engine implements pipeline.Engine. It is safe for concurrent use.
type Engine struct {
	options Options
	// crypters are those that were made, by their salts: each costs a million rounds.
	crypters *sync.Map
}

// What the engine can do; see pkg/pipeline/capability.go.
var (
	_ pipeline.Engine          = (*Engine)(nil)
	_ pipeline.ReadOnlyPlanner = (*Engine)(nil)
	_ pipeline.OutputReader    = (*Engine)(nil)
	_ pipeline.StateReader     = (*Engine)(nil)
	_ pipeline.LockReleaser    = (*Engine)(nil)
	_ pipeline.LockFinder      = (*Engine)(nil)
	_ pipeline.KeyKeeper       = (*Engine)(nil)
	_ pipeline.FleetEngine     = (*Engine)(nil)
	_ pipeline.ToolFinder      = (*Engine)(nil)
	_ pipeline.RootReader      = (*Engine)(nil)
)

// New returns an Engine.
func New(o Options) *Engine {
	if o.WaitDelay <= 0 {
		o.WaitDelay = defaultWaitDelay
	}
	return &Engine{options: o, crypters: &sync.Map{}}
}

// checkJob refuses jobs that would write to unexpected places.
func checkJob(job pipeline.Job) error {
	if err := tree.CheckJob(job); err != nil {
		return err
	}
	if job.Stack == "" {
		return pipeline.Usagef("Pulumi serves stacks of metapipe.yml alone").Nextf("declare a stack with tool: pulumi in metapipe.yml")
	}
	return nil
}
