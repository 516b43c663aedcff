package cli

import (
	"context"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/engine/ansible"
	"github.com/metapipe/metapipe/pkg/engine/cloudformation"
	"github.com/metapipe/metapipe/pkg/engine/kubernetes"
	"github.com/metapipe/metapipe/pkg/engine/pulumi"
	"github.com/metapipe/metapipe/pkg/engine/terraform"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// engineOptions is what engines need from outside.
type engineOptions struct {
	environ []string // "NAME=value"; what the tool may see of it is the engine's to know
	// environOf is the environment for one target of a fleet, where its credentials are
	// its own; nil: environ for all.
	environOf func(context.Context, pipeline.Job) ([]string, error)
	cacheDir  string
	binary    string        // the tool to use, whatever PATH holds; empty: none is named
	waitDelay time.Duration // 0: the engine's own
	secrets   func() []string
	now       func() time.Time
	// openState opens the state of job's target without the tool; nil, or a nil reader,
	// where that is not possible.
	openState func(context.Context, pipeline.Job) (io.ReadCloser, error)
	// objects are those of the store; nil where it is not open.
	objects objects
	// toolSecrets are those with which the tool encrypts what it keeps of job's target, the one
	// for what is new first; nil where there is no key.
	toolSecrets func(context.Context, pipeline.Job) ([]string, error)
}

// engines is the one registry of engines: the name of a tool in metapipe.yml, and what
// constructs its engine.
var engines = map[string]func(engineOptions) pipeline.Engine{
	"terraform":  newTerraform,
	"tofu":       newTerraform,
	"ansible":    newAnsible,
	"pulumi":     newPulumi,
	"kubernetes": newKubernetes,
	"crossplane": newKubernetes,

	pipeline.CloudFormationTool: newCloudFormation,
}

func newTerraform(o engineOptions) pipeline.Engine {
	return terraform.New(terraform.Options{Environ: o.environ, EnvironOf: o.environOf, CacheDir: o.cacheDir, BinaryPath: o.binary, WaitDelay: o.waitDelay,
		Secrets: o.secrets, Now: o.now, OpenState: o.openState})
}

func newAnsible(o engineOptions) pipeline.Engine {
	return ansible.New(ansible.Options{Environ: o.environ, EnvironOf: o.environOf, BinaryPath: o.binary, WaitDelay: o.waitDelay, Secrets: o.secrets})
}

func newKubernetes(o engineOptions) pipeline.Engine {
	return kubernetes.New(kubernetes.Options{Environ: o.environ, EnvironOf: o.environOf, CacheDir: o.cacheDir, BinaryPath: o.binary, WaitDelay: o.waitDelay, Secrets: o.secrets})
}

func newPulumi(o engineOptions) pipeline.Engine {
	options := pulumi.Options{Environ: o.environ, EnvironOf: o.environOf, CacheDir: o.cacheDir, BinaryPath: o.binary, WaitDelay: o.waitDelay, Secrets: o.secrets, Passphrases: o.toolSecrets}
	if o.objects != nil {
		options.Objects = o.objects
	}
	return pulumi.New(options)
}

func newCloudFormation(o engineOptions) pipeline.Engine {
	return cloudformation.New(cloudformation.Options{Environ: o.environ, EnvironOf: o.environOf, WaitDelay: o.waitDelay, Secrets: o.secrets})
}

// newEngine constructs the engine of a tool.
func newEngine(tool string, o engineOptions) (pipeline.Engine, error) {
	construct, ok := engines[tool]
	if !ok {
		return nil, pipeline.Usagef("metapipe has no engine for the tool %s", pipeline.Quote(tool)).
			Nextf("set tool.name in metapipe.yml to one of: %s", strings.Join(slices.Sorted(maps.Keys(engines)), ", "))
	}
	return construct(o), nil
}

func (s *step) engineOptions() engineOptions {
	environ := s.app.Environ
	if s.toolEnviron != nil {
		environ = s.toolEnviron
	}
	return engineOptions{environ: environ, cacheDir: s.app.cacheDir(), binary: s.app.getenv(envTool), now: s.app.Now, secrets: s.app.secrets.list}
}

// engine is the engine of a tool. It can also look at a state that the tool cannot read.
func (m *manager) engine(tool string) (pipeline.Engine, error) {
	return newEngine(tool, m.engineOptions())
}

// engineOf is the engine of the tool of a stack.
func (m *manager) engineOf(c pipeline.Customer, stack pipeline.StackName) (pipeline.Engine, error) {
	_, tool, err := c.Module(stack)
	if err != nil {
		return nil, err
	}
	return m.engine(tool.Name)
}

func (m *manager) engineOptions() engineOptions {
	o := m.step.engineOptions()
	o.openState = func(ctx context.Context, job pipeline.Job) (io.ReadCloser, error) {
		if m.store == nil || !m.config.Manager.StateInStore(job.Target()) {
			return nil, nil
		}
		return m.store.Open(ctx, pipeline.StateKey(job.Target()))
	}
	o.objects = m.store
	o.toolSecrets = func(ctx context.Context, job pipeline.Job) ([]string, error) {
		sealer := m.sealer
		if sealer == nil { // a plan on a laptop
			var err error
			if sealer, err = m.keys().sealer(ctx); err != nil {
				return nil, err
			}
		}
		secrets, err := sealer.ToolSecrets(ctx, job.Target(), job.Tool().Name)
		if err != nil {
			return nil, err
		}
		return secrets, masksOf(m.step).add(secrets...)
	}
	return o
}

// capable is the engine of the tool of a stack, as what a command needs of it.
func capable[T any](m *manager, c pipeline.Customer, stack pipeline.StackName, needed pipeline.Capability) (capable T, err error) {
	_, tool, err := c.Module(stack)
	if err != nil {
		return capable, err
	}
	engine, err := m.engine(tool.Name)
	if err != nil {
		return capable, err
	}
	return pipeline.Capable[T](engine, tool.Name, needed)
}

// rootReader is the engine of a tool as what reads its root modules.
func rootReader(tool string) (pipeline.RootReader, error) {
	engine, err := newEngine(tool, engineOptions{})
	if err != nil {
		return nil, err
	}
	return pipeline.Capable[pipeline.RootReader](engine, tool, pipeline.CapabilityRoots)
}

// checkTool finds the tool of a rule before it is needed, where its engine can.
func (s *step) checkTool(ctx context.Context, rule pipeline.ToolRule) error {
	engine, err := newEngine(rule.Name, s.engineOptions())
	if err != nil {
		return err
	}
	if finder, ok := engine.(pipeline.ToolFinder); ok {
		return finder.FindTool(ctx, rule)
	}
	return nil
}
