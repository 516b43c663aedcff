package cli

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/metapipe/metapipe/pkg/github"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/change"
	"github.com/metapipe/metapipe/pkg/pipeline/settings"
)

// gitHubOptions are the flags of init about a repository on GitHub.
type gitHubOptions struct {
	repository, from, undo string
	reviewers              []string
	apply                  bool
}

func (o *gitHubOptions) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.repository, "github", "", "also set up this repository of the manager on GitHub, `OWNER/REPO`")
	f.StringSliceVar(&o.reviewers, "reviewer", nil, "with --github: `LOGIN` of a person who approves applies of gated environments; may be given again")
	f.BoolVar(&o.apply, "apply", false, "with --github: write, instead of showing what would be written")
	f.StringVar(&o.from, "from", "", "with --github: `FILE` with a plan of writes, such as the one that takes back an earlier run")
	f.StringVar(&o.undo, "undo", "", "with --apply: `PATH` of the new file that takes back what is written (default: metapipe-undo-ID.json)")
}

// check refuses flags that have no meaning together.
func (o gitHubOptions) check(cmd *cobra.Command) error {
	if o.repository == "" {
		for _, name := range []string{"reviewer", "apply", "from", "undo"} {
			if cmd.Flags().Changed(name) {
				return pipeline.Usagef("--%s is for the repository on GitHub", name).Nextf("add --github OWNER/REPO, or leave --%s out", name)
			}
		}
		return nil
	}
	for _, name := range []string{"customer", "dry-run", "manager-dir"} {
		if err := oneOfFlags(cmd, "github", name); err != nil {
			return err
		}
	}
	return oneOfFlags(cmd, "from", "reviewer")
}

// initGitHub writes the files of a new manager, and plans or writes the settings of its repository.
func (a *App) initGitHub(ctx context.Context, o initOptions) error {
	slug, err := pipeline.ParseSlug(o.onGitHub.repository)
	if err != nil {
		return pipeline.Usagef("--github").Because(err).Nextf("write it as OWNER/REPO")
	}
	play := changeOptions{from: o.onGitHub.from, undo: o.onGitHub.undo, apply: o.onGitHub.apply}
	play.managerDir, play.mayBeFirst, play.tokens = o.dir, true, []string{envOwnToken}
	if err := play.check(); err != nil {
		return err
	}
	var file change.File
	if play.from != "" {
		if file, err = a.changeFile(play, settings.Kind); err != nil {
			return err
		}
	}
	if dir := a.absolute(o.dir); !isManager(dir) {
		if err := a.init(ctx, o); err != nil {
			return err
		}
	}
	m, err := a.changeManager(ctx, play, func(*manager) error { return nil })
	if err != nil {
		return err
	}
	client, err := m.github.client(envOwnToken)
	if err != nil {
		return err
	}
	var plan change.Plan
	var notes []string
	if play.from != "" {
		plan, err = settings.FromFile(file, slug)
	} else {
		var wanted settings.Wanted
		if wanted, err = m.wantedSettings(ctx, client, o.onGitHub.reviewers); err == nil {
			plan, notes, err = settings.Planner{GitHub: client, Wanted: wanted}.Plan(ctx, slug)
		}
	}
	if err != nil {
		return err
	}
	return m.play(ctx, play, plan, settings.Writer{GitHub: client}, "metapipe init "+shellWord(o.dir)+" --github "+slug.String(), notes...)
}

// wantedSettings are those that metapipe.yml asks for.
func (m *manager) wantedSettings(ctx context.Context, client *github.Client, logins []string) (settings.Wanted, error) {
	w := settings.Wanted{Environments: m.config.Manager.Environments, Variables: map[string]string{}}
	for _, login := range logins {
		account, err := client.Person(ctx, strings.TrimPrefix(login, "@"))
		var refused *github.Error
		if errors.As(err, &refused) && (pipeline.NotVisible(err) || refused.Status == 0) {
			return w, pipeline.Usagef("--reviewer %s is no person on GitHub", pipeline.QuoteTyped(login)).Nextf("name the login of a person; add a team in Settings → Environments")
		}
		if err != nil {
			return w, err
		}
		w.Reviewers = append(w.Reviewers, settings.Reviewer{Type: "User", ID: account.ID})
	}
	state := m.config.Manager.State.Bucket
	if bucket := m.app.getenv(envBucket); bucket != "" && (state.Name == "" || state.Name == bucket) && m.config.Manager.State.Directory == "" {
		w.Variables[envBucket] = bucket
	}
	if region := m.app.getenv("AWS_REGION"); region != "" && (state.Name != "" || w.Variables[envBucket] != "") {
		w.Variables["AWS_REGION"] = region
	}
	return w, nil
}
