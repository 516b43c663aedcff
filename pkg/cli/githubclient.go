package cli

import (
	"net"
	"net/url"
	"time"

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

// client returns a GitHub client with the token of a variable. Where the App's
// variables are set it acts as the App instead, but never for the run's own
// repository: that is what its GITHUB_TOKEN is for.
func (s *step) client(name string) (*github.Client, error) { return s.clientFor(name, nil) }

// clientFor is client with the permissions that a token of the App gets.
func (s *step) clientFor(name string, needs grants) (*github.Client, error) {
	gap, _ := paces(s.context.APIURL)
	o := github.Options{
		BaseURL: s.context.APIURL, Token: s.app.getenv(name), Credential: name, Needs: s.app.command, UserAgent: "metapipe/" + s.app.Version.Number,
		Grants: needs, WriteGap: gap, Now: s.app.Now, Sleep: s.app.Sleep,
	}
	if name != envOwnToken {
		if err := s.asApp(&o); err != nil {
			return nil, err
		}
	}
	if o.App == nil && o.Token == "" {
		return nil, unsetSecrets([]unset{s.unsetToken(name)})
	}
	client, err := github.New(o)
	if err != nil {
		return nil, err
	}
	s.clients = append(s.clients, client)
	return client, nil
}

// asApp replaces the token by the App, where there is one.
func (s *step) asApp(o *github.Options) error {
	id, key := s.app.getenv(envAppID), s.app.getenv(envAppKey)
	switch {
	case id == "" && key == "":
		return nil
	case id == "" || key == "":
		return &pipeline.UsageError{Message: "only one of " + envAppID + " and " + envAppKey + " is set", Next: "set both, or neither and " + o.Credential}
	}
	app, err := github.ParseApp(id, key)
	if err != nil {
		return err
	}
	o.App, o.Token, o.Credential = app, "", ""
	o.OnToken = func(token string) error { return s.mask(token) }
	return nil
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
func (s *step) budget() pipeline.Budget {
	var sum pipeline.Budget
	for _, c := range s.clients {
		sum = sum.Add(c.Budget())
	}
	return sum
}

// logBudget ends a command that has asked GitHub anything: limits are easier to keep
// when the log shows what is spent. A job summary is for reviewers, who need not
// know.
func (a *App) logBudget() {
	if a.step == nil || a.step.budget() == (pipeline.Budget{}) {
		return
	}
	a.logf("GitHub was asked: %s", a.step.budget())
}
