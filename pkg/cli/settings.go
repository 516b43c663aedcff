package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/metapipe/metapipe/pkg/actions"
	"github.com/metapipe/metapipe/pkg/cli/startup"
	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/github"
	"github.com/metapipe/metapipe/pkg/gitrepo"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/publish"
	"github.com/metapipe/metapipe/pkg/report"
	"github.com/metapipe/metapipe/pkg/store"
	"github.com/metapipe/metapipe/pkg/tempdir"
	"github.com/metapipe/metapipe/pkg/terraform"
)

// The environment variables that metapipe itself reads. The secrets have the
// names of the setup guide.
const (
	envOwnToken     = "GITHUB_TOKEN"       //nolint:gosec // a name; the run's own repository
	envManagerToken = "MANAGER_REPO_PAT"   //nolint:gosec // a name; customer's run → manager
	envSourceToken  = "SOURCE_REPOS_PAT"   //nolint:gosec // a name; manager's run → customers
	envManagerOwner = "MANAGER_REPO_OWNER" // variables of the customer's repo
	envManagerName  = "MANAGER_REPO_NAME"
	envKey          = "METAPIPE_KEY"    // seals plans and variables
	envStore        = "METAPIPE_STORE"  // instead of metapipe.yml's state
	envBucket       = "TF_STATE_BUCKET" // where metapipe.yml names neither directory nor bucket
	envTool         = "METAPIPE_TOOL"   // path of the binary that plans
)

// step is what every command begins with: the runner it runs in and the places it
// works on.
type step struct {
	app     *App
	context actions.Context
	runner  *actions.Runner
	github  *githubClients
	// anyRef lets a command open the manager on any ref, since it does nothing there
	// but say so: see loadManager.
	anyRef bool
	// only names the customer that the command works for; empty: all of them.
	only string
	// toolEnviron is what the tool sees of the environment, where a target has
	// credentials of its own; nil: that of this process.
	toolEnviron []string
}

// newStep reads the runner's environment and masks every secret in it before
// anything else can print.
func (a *App) newStep() (*step, error) {
	if a.step != nil {
		return a.step, nil
	}
	startup.Done()
	// Before anything that can fail: also an error may quote somebody.
	a.guard(a.getenv("GITHUB_ACTIONS") == "true")
	c, err := actions.ReadContext(a.lookup)
	if err != nil {
		return nil, err
	}
	s := &step{app: a, context: c, runner: actions.NewRunner(actions.Options{Context: c, Lookup: a.lookup, Commands: a.commands, Sleep: a.Sleep})}
	s.github = &githubClients{app: a, context: c, mask: masksOf(s).add}
	if err := masksOf(s).environ(); err != nil {
		return nil, err
	}
	a.step = s
	return s, nil
}

// summarize adds to the job summary. One that is full is no failure: the log says so.
func (s *step) summarize(markdown string) error {
	err := s.runner.AppendSummary(markdown)
	if errors.Is(err, actions.ErrSummaryFull) {
		s.app.logf("%v", err)
		return nil
	}
	return err
}

// outputs sets several outputs; empty values are set too, so that a workflow can
// rely on each name.
func (s *step) outputs(pairs ...string) error {
	var errs []error
	for i := 0; i+1 < len(pairs); i += 2 {
		errs = append(errs, s.runner.SetOutput(pairs[i], pairs[i+1]))
	}
	return errors.Join(errs...)
}

// run is the workflow run of this step.
func (s *step) run() pipeline.Run { return s.context.Run() }

// directories are the directories that the manager's commands share as flags.
type directories struct {
	managerDir, store, runDir string
	only                      string // the customer that the command works for; empty: all
	// reads: the command looks at what was deployed. A store that is not there would look
	// like a manager that never deployed anything.
	reads bool
	// tokens are the variables with tokens of GitHub that the command cannot do without;
	// actionsTokens those that it cannot do without in Actions.
	tokens, actionsTokens []string
}

func (p *directories) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.managerDir, "manager-dir", "", "`DIR` of the manager checkout (default: the working directory)")
	cmd.Flags().StringVar(&p.store, "store", "", "`DIR` of state and store instead of the one in metapipe.yml (env METAPIPE_STORE)")
}

func (p *directories) runFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.runDir, "work-dir", "", "`DIR` for workspaces, which hold secrets (default: a new one in RUNNER_TEMP or the system's temp, removed at the end)")
}

// manager is a manager checkout with its configuration and its store.
type manager struct {
	*step
	dir    string
	config config.Config
	store  objects
	// directory is the absolute one of the store; empty when that is a bucket.
	directory string
	sealer    *store.Sealer
	rules     *rules
}

// openManager loads the configuration and opens the store.
func (a *App) openManager(ctx context.Context, p directories) (*manager, error) {
	return a.openManagerAfter(ctx, p, func(*manager) error { return nil })
}

// openManagerAfter prepares the step when it knows the configuration, and before
// anything is asked of the store.
func (a *App) openManagerAfter(ctx context.Context, p directories, prepare func(*manager) error) (*manager, error) {
	s, err := a.newStep()
	if err != nil {
		return nil, err
	}
	s.only = p.only
	m, err := s.loadManager(p.managerDir)
	if err != nil {
		return nil, err
	}
	place := m.place(p.store)
	place.choose()
	if err := prepare(m); err != nil {
		return nil, err
	}
	tokens := p.tokens
	if m.context.InActions {
		tokens = slices.Concat(tokens, p.actionsTokens)
	}
	if p.reads && place.isMissing() {
		return nil, cmp.Or(m.checkSecrets(tokens), place.missing())
	}
	if err := m.openStore(ctx, p.store); err != nil {
		return nil, err
	}
	if !m.context.InActions {
		if err := place.keepOutOfGit(); err != nil {
			return nil, err
		}
	}
	if err := m.checkSecrets(tokens); err != nil {
		return nil, err
	}
	m.sealer, err = m.keys().sealer(ctx)
	return m, err
}

// loadManager opens the manager for a command that can change something or reads what
// is secret: in Actions on the default branch alone, since nobody has reviewed the
// Terraform, the registry and the rules of other refs. This is the one place that says
// so. validate and dry runs read the configuration without it.
func (s *step) loadManager(dir string) (*manager, error) {
	m, err := s.readManager(dir)          // first, since it masks what the tool gets
	if s.context.InActions && !s.anyRef { // whatever is wrong with the files of another ref
		if err := actions.OnDefaultBranch(s.context); err != nil {
			return nil, err
		}
	}
	return m, err
}

// readManager reads the configuration of the manager on any ref.
func (s *step) readManager(dir string) (*manager, error) {
	dir, err := s.app.managerDir(dir)
	if err != nil {
		return nil, err
	}
	c, problems := s.configuration(dir)
	if config.IsMissing(problems) {
		return nil, s.noManager(dir)
	}
	if err := problems.Err(); err != nil {
		return nil, &pipeline.UsageError{Message: "the configuration of the manager in " + dir + " has problems", Next: "`metapipe validate` shows them one by one", Err: err}
	}
	if err := masksOf(s).passed(c.Manager.Tool.Env); err != nil {
		return nil, err
	}
	return &manager{step: s, dir: dir, config: c, rules: newRules(dir)}, nil
}

// configuration reads no more customers than the command needs.
func (s *step) configuration(dir string) (config.Config, pipeline.Problems) {
	if s.only == "" {
		return config.Load(dir)
	}
	return config.LoadCustomer(dir, pipeline.CustomerName(s.only))
}

// noManager says that a directory is no manager checkout, and what it is instead.
func (s *step) noManager(dir string) error {
	err := &pipeline.UsageError{Message: fmt.Sprintf("%s is no manager checkout: it has no %s", dir, config.ManagerFile), Next: "go to one, or name it with --manager-dir"}
	if exists(filepath.Join(dir, config.DefaultPath, pipeline.VariablesFile)) {
		err.Message = dir + " is a customer's checkout, and this command works on the manager's"
		err.Next = "name that with --manager-dir; to try this checkout: metapipe plan --customer-dir . --manager-dir DIR --environment NAME"
	}
	return err
}

// commit is the manager's own commit: from the runner, else from git. A manager
// directory that is no checkout has none; its content is compared all the same.
func (m *manager) commit(ctx context.Context) pipeline.SHA {
	if m.context.InActions {
		return m.context.SHA
	}
	repository, ok := gitrepo.Open(ctx, m.dir, m.app.Environ)
	if !ok {
		return ""
	}
	head, err := repository.Head(ctx)
	if err != nil {
		return ""
	}
	sha, err := pipeline.ParseSHA(head)
	if err != nil {
		return ""
	}
	return sha
}

// repository is the manager's own one as the runner names it; zero on a laptop.
func (m *manager) repository() pipeline.Repository {
	return pipeline.Repository{Slug: m.context.Repository, ID: m.context.RepositoryID}
}

// slug is the manager's repository: that of the run, on a laptop that of the remote
// origin, so that what one writes to issues the other finds again.
func (m *manager) slug(ctx context.Context) pipeline.Slug {
	if m.context.InActions {
		return m.context.Repository
	}
	if remote := m.remote(ctx, m.dir); remote != (pipeline.Slug{}) {
		return remote
	}
	return localManager
}

// localManager stands for a manager that has no repository on GitHub.
var localManager = pipeline.Slug{Owner: "local", Name: "manager"}

// engine runs terraform or tofu.
func (s *step) engine() *terraform.Engine { return terraform.New(s.engineOptions()) }

func (s *step) engineOptions() terraform.Options {
	environ := s.app.Environ
	if s.toolEnviron != nil {
		environ = s.toolEnviron
	}
	return terraform.Options{Environ: environ, CacheDir: s.app.cacheDir(), BinaryPath: s.app.getenv(envTool), Now: s.app.Now, Secrets: s.app.secrets.list}
}

// workDir makes the run directory of one target; remove deletes it, since it
// holds plans and state in clear.
func (s *step) workDir(p directories, parts ...string) (dir string, remove func(), err error) {
	if p.runDir != "" {
		dir = filepath.Join(append([]string{s.app.absolute(p.runDir)}, parts...)...)
		if err = os.MkdirAll(dir, 0o700); err == nil {
			dir, err = os.MkdirTemp(dir, "run-") // two runs of one target must not share it
		}
		remove = func() {}
	} else {
		var clean func() error
		dir, clean, err = tempdir.New(s.context.RunnerTemp)
		remove = func() {
			if err := clean(); err != nil {
				s.app.logf("could not remove the run directory %s, which holds secrets: %v", dir, err)
			}
		}
	}
	if err != nil {
		return "", nil, &pipeline.UsageError{Message: "make the run directory", Err: err, Next: "free some space, or name a directory that this user may write with --work-dir"}
	}
	return dir, remove, nil
}

func (a *App) absolute(dir string) string {
	if filepath.IsAbs(dir) {
		return filepath.Clean(dir)
	}
	return filepath.Join(a.Dir, dir)
}

// cacheDir is metapipe's folder in the user's cache directory.
func (a *App) cacheDir() string {
	if dir := a.getenv("XDG_CACHE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "metapipe")
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "metapipe")
}

// reporter shows customers how a request stands.
func (m reporting) reporter(client *github.Client) *publish.Reporter {
	return &publish.Reporter{GitHub: client, Store: m.store, Sealer: m.sealer, Renderer: report.Renderer{}, Now: m.app.Now, Logf: m.app.logf}
}

// annotate shows an error where the runner shows annotations.
func (a *App) annotate(err error) {
	s, stepErr := a.newStep()
	if stepErr != nil || !s.context.InActions {
		return
	}
	problems := pipeline.Problems{{Rule: "metapipe", Message: err.Error()}}
	var rejected *pipeline.RejectedError
	if errors.As(err, &rejected) && len(rejected.Problems) > 0 {
		problems = rejected.Problems
	}
	if err := s.runner.Annotate(problems); err != nil {
		a.logf("could not annotate: %v", err)
	}
}

// within bounds a duration flag.
func within(name string, d, least, most time.Duration) error {
	if d < least || d > most {
		return &pipeline.UsageError{Message: fmt.Sprintf("--%s %s: want a duration between %s and %s", name, d, least, most)}
	}
	return nil
}
