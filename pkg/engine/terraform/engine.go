package terraform

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/metapipe/metapipe/pkg/engine/process"
	"github.com/metapipe/metapipe/pkg/engine/redact"
	"github.com/metapipe/metapipe/pkg/engine/terraform/tool"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// defaultWaitDelay is how long a tool that got its SIGINT may take to save its
// state and release its lock.
const defaultWaitDelay = 90 * time.Second

// Options is what an Engine needs from outside. The zero value finds no tool,
// since it has no PATH.
type Options struct {
	// Environ is the environment of this process as "NAME=value", as os.Environ
	// returns it. The tool sees an allow-list of it.
	Environ process.Environ
	// EnvironOf is the environment for one target of a Fleet, where its credentials
	// are its own; nil means Environ for all.
	EnvironOf func(context.Context, pipeline.Job) ([]string, error)
	// CacheDir is metapipe's cache directory (`<user cache dir>/metapipe`). Tools
	// rest in tools/<name>-<version>/<name> below it. Empty: nothing is cached and
	// nothing can be installed.
	CacheDir string
	// BinaryPath names the binary to use, whatever PATH holds. Its version must
	// still fit the rule.
	BinaryPath string
	// WaitDelay is how long a cancelled tool may take to end by itself before it
	// is killed; 0 means 90 seconds.
	WaitDelay time.Duration
	// Secrets returns the texts that no report and no log may hold: what a provider was
	// received through its environment comes back in its errors. More can become known
	// while the engine works. It must be safe for concurrent use; nil: there are none.
	Secrets func() []string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// OpenState opens the state of job's target without the tool, where it lies beside the
	// objects of metapipe; nil, or a nil reader, where that is not possible.
	OpenState func(context.Context, pipeline.Job) (io.ReadCloser, error)
	// Install downloads a tool; nil means Download.
	Install tool.InstallFunc
}

// Engine implements pipeline.Engine. It is safe for concurrent use.
type Engine struct {
	options Options
}

// What the engine can do; see pkg/pipeline/capability.go.
var (
	_ pipeline.Engine          = (*Engine)(nil)
	_ pipeline.ReadOnlyPlanner = (*Engine)(nil)
	_ pipeline.OutputReader    = (*Engine)(nil)
	_ pipeline.StateReader     = (*Engine)(nil)
	_ pipeline.LockReleaser    = (*Engine)(nil)
	_ pipeline.StateMover      = (*Engine)(nil)
	_ pipeline.FleetEngine     = (*Engine)(nil)
	_ pipeline.ToolFinder      = (*Engine)(nil)
	_ pipeline.RootReader      = (*Engine)(nil)
)

// New returns an Engine.
func New(o Options) *Engine {
	if o.WaitDelay <= 0 {
		o.WaitDelay = defaultWaitDelay
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Install == nil {
		o.Install = tool.Download
	}
	return &Engine{options: o}
}

// of is the engine with the environment of one target.
func (e *Engine) of(ctx context.Context, job pipeline.Job) (*Engine, error) {
	if e.options.EnvironOf == nil {
		return e, nil
	}
	environ, err := e.options.EnvironOf(ctx, job)
	if err != nil {
		return nil, fmt.Errorf("plan %s: %w", target(job), err)
	}
	confined := &Engine{options: e.options}
	confined.options.Environ, confined.options.EnvironOf = environ, nil
	return confined, nil
}

// Locate finds the tool of rule: the named binary, the first one in PATH that
// fits the constraint, the highest fitting one in the cache, or one that it
// installs. When there is none the error is a *pipeline.UsageError that names
// the remedies.
func (e *Engine) Locate(ctx context.Context, rule pipeline.ToolRule) (tool.Binary, error) {
	return e.locate(ctx, rule, nil)
}

// FindTool implements pipeline.ToolFinder.
func (e *Engine) FindTool(ctx context.Context, rule pipeline.ToolRule) error {
	_, err := e.Locate(ctx, rule)
	return err
}

// locate is Locate that writes to log before it downloads.
func (e *Engine) locate(ctx context.Context, rule pipeline.ToolRule, log io.Writer) (tool.Binary, error) {
	return e.finder().Find(ctx, rule, redact.NewLog(log).Print)
}

func (e *Engine) finder() tool.Finder {
	return tool.Finder{Environ: e.options.Environ, CacheDir: e.options.CacheDir, BinaryPath: e.options.BinaryPath, Install: e.options.Install}
}

// target names the job in messages.
func target(job pipeline.Job) string {
	return job.Target().String()
}

// checkJob refuses jobs that would write to unexpected places.
func checkJob(job pipeline.Job) error {
	if job.Variables == nil {
		return errors.New("job has no variables")
	}
	for _, dir := range []struct{ what, path string }{{"manager directory", job.ManagerDir}, {"run directory", job.Dir}} {
		if !filepath.IsAbs(dir.path) {
			return fmt.Errorf("%s %q is not absolute", dir.what, dir.path)
		}
	}
	if path := job.Backend.Path(); job.Backend.Type == pipeline.BackendLocal && !filepath.IsAbs(path) {
		return fmt.Errorf("state file %q is not absolute", path)
	}
	if err := job.CheckStack(); err != nil {
		return err
	}
	if root := job.Root(); root != "" && !filepath.IsLocal(filepath.FromSlash(root)) {
		return pipeline.Usagef("%s: root %q leads out of the manager directory", job.Customer.File, root).
			Nextf("name a directory inside the manager repository")
	}
	return nil
}
