package cli

import (
	"net"
	"net/url"
	"slices"
	"time"

	"github.com/metapipe/metapipe/pkg/actions"
	"github.com/metapipe/metapipe/pkg/github"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// A GitHub App instead of MANAGER_REPO_PAT or SOURCE_REPOS_PAT. GitHub keeps names
// that begin with GITHUB_ to itself, and everything that begins with METAPIPE_ is
// withheld from the tool.
const (
	envAppID  = "METAPIPE_APP_ID"
	envAppKey = "METAPIPE_APP_PRIVATE_KEY"
)

// driftScanPath is the command that runs the tool and reads customers' repositories.
const driftScanPath = "metapipe drift scan"

// organizationCommands read whole organizations, which a GitHub App cannot.
var organizationCommands = []string{"metapipe compliance", "metapipe sync"}

// githubClients makes the clients of a command.
type githubClients struct {
	app     *App
	context actions.Context
	mask    func(secrets ...string) error
	made    []*github.Client // for their budget
}

// client returns a GitHub client with the token of a variable. Where the App's
// variables are set it acts as the App instead, but never for the run's own
// repository: that is what its GITHUB_TOKEN is for.
func (g *githubClients) client(name string) (*github.Client, error) { return g.clientFor(name, nil) }

// clientFor is client with the permissions that a token of the App gets.
func (g *githubClients) clientFor(name string, needs grants) (*github.Client, error) {
	o := g.options(name)
	o.Grants = needs
	if name != envOwnToken {
		if err := g.asApp(&o); err != nil {
			return nil, err
		}
	}
	if o.App == nil && o.Token == "" {
		return nil, unsetSecrets([]unset{g.unset(name)})
	}
	return g.open(o)
}

// organization returns a client that reads organizations and their repositories.
func (g *githubClients) organization(needs grants) (*github.Client, error) {
	o := g.options(envSourceToken)
	o.Grants = needs
	if o.Token != "" {
		return g.open(o)
	}
	missing := g.unset(envSourceToken)
	if g.app.getenv(envAppID) != "" {
		return nil, pipeline.Usagef("a GitHub App cannot list the repositories of an organization: each of its tokens is for one repository").Nextf("%s", missing.next)
	}
	return nil, unsetSecrets([]unset{missing})
}

// personal is client for the token of a person, also where a GitHub App is set up.
func (g *githubClients) personal(name string) (*github.Client, error) {
	o := g.options(name)
	if o.Token == "" {
		return nil, pipeline.Usagef("%s is not set: definitions need the token of an owner of the organization, and no GitHub App", name).Nextf("run: export %s=$(gh auth token)", name)
	}
	return g.open(o)
}

// options are those of a client with the token of a variable.
func (g *githubClients) options(name string) github.Options {
	gap, _ := paces(g.context.APIURL)
	return github.Options{
		BaseURL: g.context.APIURL, Token: g.app.getenv(name), Credential: name, Needs: g.app.command, UserAgent: "metapipe/" + g.app.Version.Number,
		WriteGap: gap, Now: g.app.Now, Sleep: g.app.Sleep,
	}
}

func (g *githubClients) open(o github.Options) (*github.Client, error) {
	client, err := github.New(o)
	if err != nil {
		return nil, err
	}
	g.made = append(g.made, client)
	return client, nil
}

// asApp replaces the token by the App, where there is one.
func (g *githubClients) asApp(o *github.Options) error {
	id, key := g.app.getenv(envAppID), g.app.getenv(envAppKey)
	switch {
	case id == "" && key == "":
		return nil
	case id == "" || key == "":
		return pipeline.Usagef("only one of %s and %s is set", envAppID, envAppKey).Nextf("set both, or neither and %s", o.Credential)
	}
	app, err := github.ParseApp(id, key)
	if err != nil {
		return err
	}
	o.App, o.Token, o.Credential = app, "", ""
	o.OnToken = func(token string) error { return g.mask(token) }
	return nil
}

// unset is the token of a variable that is not set.
func (g *githubClients) unset(name string) unset {
	next := "pass the secret to this step through `env:`"
	if !g.context.InActions {
		next = "run: export " + name + "=$(gh auth token)"
	}
	if name == envSourceToken && g.context.InActions && g.app.command == driftScanPath {
		next = "pass the secret SOURCE_REPOS_READ_PAT to this step through `env:`, a token that only reads, since this job runs the tool"
	}
	if name == envSourceToken && slices.Contains(organizationCommands, g.app.command) {
		next += ", a token that sees all repositories of the organizations (First scan in docs/COMPLIANCE.md)"
	} else if name != envOwnToken {
		next += ", or " + envAppID + " and " + envAppKey + " of a GitHub App"
	}
	return unset{name: name, next: next}
}

// paces returns the pause between writes that GitHub asks for, and the longest
// one between two looks at a status. A server on this machine is a rehearsal and
// minds neither.
func paces(api string) (write, look time.Duration) {
	u, err := url.Parse(api)
	if err == nil {
		if ip := net.ParseIP(u.Hostname()); ip != nil && ip.IsLoopback() {
			return 0, time.Second
		}
	}
	return time.Second, 45 * time.Second
}

// budget is what this step has asked of GitHub so far.
func (g *githubClients) budget() pipeline.Budget {
	var sum pipeline.Budget
	for _, c := range g.made {
		sum = sum.Add(c.Budget())
	}
	return sum
}

// logBudget ends a command that has asked GitHub anything: limits are easier to keep
// when the log shows what is spent. A job summary is for reviewers, who need not
// know.
func (a *App) logBudget() {
	if a.step == nil || a.step.github.budget() == (pipeline.Budget{}) {
		return
	}
	a.logf("requests to GitHub: %s", a.step.github.budget())
}
