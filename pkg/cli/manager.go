package cli

import (
	"cmp"
	"context"
	"path/filepath"
	"slices"

	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/gitrepo"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/store"
)

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
	// broken are customers whose file has problems; only a command that goes on with the others
	// has any.
	broken []config.BrokenCustomer
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
	s.only, s.tolerant = p.only, p.tolerant
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
	if !p.mayBeFirst && place.isMissing() {
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

// loadManager reads the configuration of the manager. On which refs that is allowed,
// refRules says.
func (s *step) loadManager(dir string) (*manager, error) {
	dir, err := s.app.managerDir(dir)
	if err != nil {
		return nil, err
	}
	c, problems := s.configuration(dir)
	if config.IsMissing(problems) {
		return nil, s.noManager(dir)
	}
	return s.newManager(dir, c, problems)
}

// newManager takes what was read of a directory.
func (s *step) newManager(dir string, c config.Config, problems pipeline.Problems) (*manager, error) {
	var broken []config.BrokenCustomer
	if s.tolerant {
		c, broken, problems = config.Apart(c, problems)
	}
	problems = append(problems, unreadableNeeds(dir, c.Manager)...)
	if err := problems.Err(); err != nil {
		return nil, pipeline.Usagef("the configuration of the manager in %s has problems", dir).Because(err).
			Nextf("`metapipe validate` shows them one by one")
	}
	if err := masksOf(s).passed(c.Manager.ToolEnviron()); err != nil {
		return nil, err
	}
	return &manager{step: s, dir: dir, config: c, rules: newRules(dir), broken: broken}, nil
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
	err := pipeline.Usagef("%s is no manager checkout: it has no %s", dir, config.ManagerFile).
		Nextf("go to one, or name it with --manager-dir")
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

// remote is the repository that the remote origin of a checkout names; the zero
// value where none is known.
func (s *step) remote(ctx context.Context, dir string) pipeline.Slug {
	repository, ok := gitrepo.Open(ctx, dir, s.app.Environ)
	if !ok {
		return pipeline.Slug{}
	}
	url, ok := repository.Origin(ctx)
	if !ok {
		return pipeline.Slug{}
	}
	slug, _ := pipeline.ParseRemote(url)
	return slug
}

// checkSecrets refuses a command that lacks its key or tokens, before it does anything.
// Half of the variables of an App are a mistake of their own, which clientFor names.
func (m *manager) checkSecrets(tokens []string) error {
	var missing []unset
	if keys := m.keys(); keys.none() {
		missing = append(missing, keys.unset())
	}
	app := m.app.getenv(envAppID) != "" || m.app.getenv(envAppKey) != ""
	for _, name := range tokens {
		if m.app.getenv(name) == "" && (name == envOwnToken || !app) {
			missing = append(missing, m.github.unset(name))
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return unsetSecrets(missing)
}

func (m *manager) keys() keys {
	return keys{app: m.app, inActions: m.context.InActions,
		kms: store.KMSOptions{Keys: m.config.Manager.SealingKeys, Region: m.config.Manager.State.Bucket.Region, Objects: m.store, Lookup: m.app.lookup}}
}

// place is where the manager keeps states and plans. named is the flag --store.
func (m *manager) place(named string) place {
	return place{app: m.app, dir: m.dir, named: named, state: &m.config.Manager.State}
}

// openStore opens the store and puts it into the manager.
func (m *manager) openStore(ctx context.Context, named string) (err error) {
	m.store, m.directory, err = m.place(named).open(ctx)
	return err
}
