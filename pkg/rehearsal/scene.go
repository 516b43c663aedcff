package rehearsal

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// The people and machines of the story.
const (
	developer  = "casey"        // of the customer
	approver   = "robin"        // of the service provider
	managerBot = "metapipe-bot" // owns SOURCE_REPOS_PAT
	callerBot  = "customer-bot" // owns MANAGER_REPO_PAT of the customer
	inboxBot   = "inbox-bot"    // owns MANAGER_REPO_PAT of the inbox
)

// inboxEnvironment has the secret of the inbox (docs/SETUP.md).
const inboxEnvironment = "forward"

// setup is the repositories on the in-process GitHub, and what the story knows about
// them.
type setup struct {
	hub      *hub.Server
	manager  *hub.Repo
	customer *hub.Repo
	inbox    *hub.Repo         // nil: customers send their requests to the manager
	who      pipeline.Customer // as the manager's tree registers it
	change   proposal
	choice   string // the custom property that chooses among the stacks; empty: none
	key      string // METAPIPE_KEY
	store    string // METAPIPE_STORE
	work     string // directory for everything that is thrown away
	binary   string // metapipe
	trusts   bool   // Options.CustomerWorkflow
	// appTokens counts those of the stand-in for create-github-app-token.
	appTokens atomic.Int64
	// The workflows that are played, by their paths in the repositories.
	managerFile, customerFile, inboxFile string
}

// file is the path of variables.yml in the customer's repository.
func (s *setup) file() string { return path.Join(s.who.Path, pipeline.VariablesFile) }

// reviewed reports whether the manager applies something only after a pull
// request has shown its plan.
func (s *setup) reviewed() bool {
	return slices.ContainsFunc(s.who.Manager.Environments, func(r pipeline.EnvironmentRule) bool { return r.RequireReviewed })
}

// parties are the two directories on their way into repositories.
type parties struct {
	manager, customer, inbox             *checkout // inbox is nil where there is none
	managerSlug, customerSlug, inboxSlug pipeline.Slug
	who                                  pipeline.Customer
	match                                config.Match
	missingManager                       bool // no metapipe.yml
	missingCustomer                      bool // no file in customers/
	change                               proposal
}

// readParties reads both checkouts and finds out who the customer is and what
// is proposed.
func readParties(ctx context.Context, o Options) (parties, error) {
	var p parties
	var err error
	if p.manager, err = readCheckout(ctx, o.ManagerDir, o.Environ); err != nil {
		return p, err
	}
	if p.customer, err = readCheckout(ctx, o.CustomerDir, o.Environ); err != nil {
		return p, err
	}
	registry, missing, err := readRegistry(o.ManagerDir)
	if err != nil {
		return p, err
	}
	p.missingManager = missing
	remote, _ := p.customer.origin(ctx)
	if p.match, err = choose(registry, config.Checkout{Dir: o.CustomerDir, Remote: remote, Name: o.Customer}); err != nil {
		return p, err
	}
	customer := p.match.Customer
	if !p.match.Found {
		customer, p.missingCustomer = unregistered(registry.Manager, o.ManagerDir, o.CustomerDir, remote), true
	}
	p.who, p.customerSlug = customer, customer.Repository
	p.managerSlug = pipeline.Slug{Owner: "service-provider", Name: "infra-manager"}
	if slug, ok := p.manager.origin(ctx); ok && !slug.Equal(p.customerSlug) {
		p.managerSlug = slug
	}
	if o.InboxDir != "" {
		if p.inbox, err = readCheckout(ctx, o.InboxDir, o.Environ); err != nil {
			return p, err
		}
		p.inboxSlug = pipeline.Slug{Owner: p.managerSlug.Owner, Name: "infra-inbox"}
		if slug, ok := p.inbox.origin(ctx); ok {
			p.inboxSlug = slug
		}
	}
	p.change, err = propose(ctx, p.customer, path.Join(customer.Path, pipeline.VariablesFile), o.Proposal)
	return p, err
}

// newSetup makes the accounts, repositories and environments, imports both
// trees and says what it had to add.
func newSetup(ctx context.Context, o Options, server *hub.Server, work string, narrator *narrator) (*setup, error) {
	p, err := readParties(ctx, o)
	if err != nil {
		return nil, err
	}
	s := &setup{hub: server, change: p.change, work: work, binary: o.Binary, trusts: o.CustomerWorkflow, store: filepath.Join(work, "store")}
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	s.key = base64.StdEncoding.EncodeToString(key)
	if err := os.MkdirAll(s.store, 0o700); err != nil {
		return nil, fmt.Errorf("make the store: %w", err)
	}
	if p.match.Found {
		narrator.note("This rehearsal runs %s.", p.match)
		if c := p.match.Customer; c.Offboarded {
			narrator.note("Customer %s is offboarded (%s): the manager rejects the requests below. Remove `offboarded` from the file to rehearse a deployment.", c.Name, c.File)
		}
	}
	if err := s.addRepositories(p); err != nil {
		return nil, err
	}
	if err := s.importManager(p, narrator); err != nil {
		return nil, err
	}
	if err := s.importCustomer(p); err != nil {
		return nil, err
	}
	if err := s.addWorkflows(narrator); err != nil {
		return nil, err
	}
	if err := s.addProperties(p.customerSlug.Owner); err != nil {
		return nil, err
	}
	return s, s.addEnvironments()
}

func (s *setup) addRepositories(p parties) error {
	if p.managerSlug.Equal(p.customerSlug) {
		return pipeline.Usagef("manager and customer are both %s", p.managerSlug).Nextf("give the customer's file another repository")
	}
	if p.inbox != nil && (p.inboxSlug.Equal(p.managerSlug) || p.inboxSlug.Equal(p.customerSlug)) {
		return pipeline.Usagef("the inbox is %s, which is the manager or the customer", p.inboxSlug).Nextf("name a checkout of the inbox, a repository of its own, with --inbox-dir")
	}
	known := map[string]bool{} // one owner may have both, and be called like a person of the story
	for _, u := range []hub.User{
		{Login: developer, Name: "Casey", Type: hub.Person}, {Login: approver, Name: "Robin", Type: hub.Person},
		{Login: managerBot, Type: hub.Person}, {Login: callerBot, Type: hub.Person}, {Login: inboxBot, Type: hub.Person},
		{Login: p.managerSlug.Owner, Type: hub.Organization}, {Login: p.customerSlug.Owner, Type: hub.Organization}, {Login: p.inboxSlug.Owner, Type: hub.Organization},
	} {
		if login := strings.ToLower(u.Login); known[login] || login == "" {
			continue
		} else {
			known[login] = true
		}
		if _, err := s.hub.AddUser(u); err != nil {
			return err
		}
	}
	var err error
	if s.manager, err = s.hub.AddRepo(p.managerSlug.Owner, p.managerSlug.Name, hub.RepoOptions{Private: true}); err != nil {
		return err
	}
	s.customer, err = s.hub.AddRepo(p.customerSlug.Owner, p.customerSlug.Name, hub.RepoOptions{ID: p.who.RepositoryID, Private: true, DefaultBranch: deployBranch(p.who)})
	if err != nil {
		return err
	}
	sends := s.manager // what the customer's token is for
	if p.inbox != nil {
		if s.inbox, err = s.hub.AddRepo(p.inboxSlug.Owner, p.inboxSlug.Name, hub.RepoOptions{Private: true}); err != nil {
			return err
		}
		if _, err := s.inbox.Commit("main", hub.Change{Files: p.inbox.files, Replace: true, Message: "The inbox's checkout"}); err != nil {
			return err
		}
		sends = s.inbox
	}
	return errors.Join(
		s.manager.Grant(approver, hub.Write), s.manager.Grant(inboxBot, hub.Write), sends.Grant(callerBot, hub.Write),
		s.customer.Grant(developer, hub.Write), s.customer.Grant(managerBot, hub.Write),
	)
}

// importManager commits the manager's tree, with the files that it lacks.
func (s *setup) importManager(p parties, narrator *narrator) error {
	files := maps.Clone(p.manager.files)
	if p.missingManager {
		f := defaultManager(p.change.head, p.change.base)
		files[config.ManagerFile] = f
		narrator.note("The manager has no %s: the rehearsal uses one of its own, with %s.", config.ManagerFile, strings.Join(declaredOr(f.Content), ", "))
	}
	if p.missingCustomer {
		name, f := customerFile(p.who, s.customer.ID())
		files[name] = f
		narrator.note("The customer is not registered with the manager: the rehearsal adds %s for %s.", name, p.customerSlug)
	}
	sha, err := s.manager.Commit("main", hub.Change{Files: files, Replace: true, Message: "The manager's checkout"})
	if err != nil {
		return err
	}
	// What counts from here on is the imported tree.
	dir := filepath.Join(s.work, "manager")
	if err := s.manager.Checkout(sha, dir); err != nil {
		return err
	}
	registry, missing, err := readRegistry(dir)
	if err != nil || missing {
		return errors.Join(err, missingIf(missing))
	}
	customer, found := registry.Customer(p.who.Name)
	if !found {
		return pipeline.Usagef("customer %s is not part of the manager's tree", p.who.Name).Nextf("take customers/ out of .gitignore")
	}
	s.who = customer
	return nil
}

func missingIf(missing bool) error {
	if !missing {
		return nil
	}
	return pipeline.Usagef("%s is not part of the manager's tree", config.ManagerFile).Nextf("take it out of .gitignore")
}

// declaredOr lists the environments of a metapipe.yml that was written here.
func declaredOr(file []byte) []string {
	var out []string
	for line := range strings.Lines(string(file)) {
		if _, name, ok := strings.Cut(strings.TrimSpace(line), "name: \""); ok {
			out = append(out, strings.TrimSuffix(name, `"`))
		}
	}
	return out
}

// importCustomer commits the customer's tree as it is today.
func (s *setup) importCustomer(p parties) error {
	files := maps.Clone(p.customer.files)
	delete(files, s.file())
	message := "The customer's checkout, without " + s.file()
	if p.change.deployed() && !s.reviewed() {
		files[s.file()] = hub.File{Content: p.change.base}
		message = "The customer's checkout"
	}
	if len(files) == 0 {
		// A repository without any file has no commit to branch off.
		files["README.md"] = hub.File{Content: []byte("# " + p.customerSlug.Name + "\n")}
	}
	_, err := s.customer.Commit(s.customer.DefaultBranch(), hub.Change{Files: files, Replace: true, Message: message, Author: developer})
	return err
}

// addEnvironments makes the two environments of each stage in the manager's
// repository, with a reviewer where metapipe.yml asks for a gate.
func (s *setup) addEnvironments() error {
	for _, rule := range s.who.Manager.Environments {
		rules := hub.EnvironmentRules{}
		if rule.Gated {
			rules.Reviewers = []string{approver}
		}
		if err := errors.Join(s.manager.SetEnvironment(string(rule.Name)+"-plan", hub.EnvironmentRules{}), s.manager.SetEnvironment(applyEnvironment(string(rule.Name)), rules)); err != nil {
			return err
		}
	}
	if s.inbox == nil {
		return nil
	}
	return s.inbox.SetEnvironment(inboxEnvironment, hub.EnvironmentRules{Branches: []string{"main"}})
}

func applyEnvironment(env string) string { return env + "-apply" }
