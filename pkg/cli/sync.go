package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/metapipe/metapipe/pkg/actions"
	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/github"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/change"
	"github.com/metapipe/metapipe/pkg/pipeline/properties"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/pipeline/sourcesync"
	"github.com/metapipe/metapipe/pkg/render"
	"github.com/metapipe/metapipe/pkg/sources"
)

type syncOptions struct {
	changeOptions
	sources, repositories []string
	property              string
	allowFewer            bool
}

func newSyncCmd(app *App) *cobra.Command {
	var o syncOptions
	cmd := &cobra.Command{
		Use:   "sync",
		Short: "Bring custom properties in line with the sources of sync.yml",
		Long: `sync reads the sources that sync.yml names (docs/SYNC.md), such as a billing system or a
directory of people, and prints which custom properties of the organizations' repositories
differ. With --apply it writes them.

A source that cannot be read as a whole, or has far fewer rows than the last time, counts
for nothing. No property is written for which a source with more authority could not be
read. Values are checked against the definitions of the organization. What is written is
shown, compared, read back, recorded and kept for the way back as for properties set. The
second run writes nothing.

In a run of repository_dispatch, the types billing_update, team_rename and
team_reorganization say which repository or which sources to look at. What the event says
beside that is not used: the source is read.

Environment: SOURCE_REPOS_PAT (all repositories of the organizations: metadata and
contents read; organizations: members read, custom properties read, with --apply write);
METAPIPE_KEY; the variables that sync.yml names. AWS: read and write of the bucket.
Outputs: changes, written, failed, unavailable and findings.
Exit code 1: something could not be read or written. Exit code 4: a value has changed since
it was read.`,
		Example: `  metapipe sync
  metapipe sync --source billing --property customer_tier --apply
  metapipe sync --apply --max-changes 120`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return app.sync(cmd.Context(), o) },
	}
	o.flags(cmd)
	f := cmd.Flags()
	f.StringArrayVar(&o.sources, "source", nil, "only values that come from the source `NAME`; may be given again")
	f.StringVar(&o.property, "property", "", "only the property `NAME`")
	f.StringArrayVar(&o.repositories, "repository", nil, "only the repository `OWNER/NAME`; may be given again")
	f.BoolVar(&o.allowFewer, "allow-fewer", false, "take a source that has less than 80 % of the rows of the last time")
	return cmd
}

func (o syncOptions) check() error {
	if o.from != "" && (len(o.sources)+len(o.repositories) > 0 || o.property != "") {
		return pipeline.Usagef("--from names repositories and values itself").Nextf("leave out --source, --property and --repository")
	}
	return o.changeOptions.check()
}

func (a *App) sync(ctx context.Context, o syncOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	var file change.File
	if o.from != "" {
		var err error
		if file, err = a.changeFile(o.changeOptions, properties.KindValues); err != nil {
			return err
		}
	}
	o.tokens = []string{envSourceToken}
	m, err := a.openManager(ctx, o.directories)
	if err != nil {
		return err
	}
	c, err := m.syncConfig()
	if err != nil {
		return err
	}
	if meant, err := m.hinted(&o, c); err != nil || !meant {
		return err
	}
	client, err := m.github.organization(organizationGrants(o.apply))
	if err != nil {
		return err
	}
	records := record.Records{Store: record.NewOnceRead(m.store), Sealer: m.sealer}
	s := m.newSync(c, client, o)
	var result sourcesync.Result
	if o.from != "" {
		result, err = s.FromFile(ctx, file)
	} else {
		if s.Book, err = sourcesync.LoadBook(ctx, records, a.Now()); err == nil {
			result, err = s.Plan(ctx)
		}
	}
	if err != nil {
		return err
	}
	return m.playSync(ctx, o, c, result, records, properties.ValueWriter{GitHub: client})
}

// syncConfig reads sync.yml and hides the secrets that it names.
func (m *manager) syncConfig() (sourcesync.Config, error) {
	c, problems := config.LoadSync(m.dir)
	if err := problems.Err(); err != nil {
		return c, pipeline.Usagef("read the sources").Because(err).Nextf("see docs/SYNC.md")
	}
	var secrets []string
	for _, source := range c.Sources {
		for _, name := range []string{source.TokenEnv, source.PasswordEnv} {
			if value := m.app.getenv(name); name != "" && value != "" {
				secrets = append(secrets, value)
			}
		}
	}
	return c, masksOf(m.step).add(secrets...)
}

// hinted narrows the run to what the event of this run is about; false: to nothing.
func (m *manager) hinted(o *syncOptions, c sourcesync.Config) (bool, error) {
	if m.context.EventName != "repository_dispatch" {
		return true, nil
	}
	event, err := actions.LoadEvent(m.context)
	if err != nil {
		return false, err
	}
	hint, err := sourcesync.ParseHint(event.Action, event.Payload)
	if err != nil {
		return false, &pipeline.RejectedError{Message: "the event cannot be used: " + err.Error()}
	}
	if hint.Repository != "" {
		o.repositories = append(o.repositories, hint.Repository)
		m.app.logf("%s: only %s is looked at", event.Action, hint.Repository)
	}
	if !hint.People {
		return true, nil
	}
	names := hint.About(c)
	if len(names) == 0 {
		m.app.logf("%s: %s has no source of the types teams and ldap, so there is nothing to do", event.Action, sourcesync.File)
		return false, nil
	}
	o.sources = append(o.sources, names...)
	m.app.logf("%s: only the sources about teams and people are looked at", event.Action)
	return true, nil
}

func (m *manager) newSync(c sourcesync.Config, client *github.Client, o syncOptions) *sourcesync.Sync {
	s := &sourcesync.Sync{Config: c, GitHub: syncGitHub{client}, Sources: o.sources, Property: o.property, Repositories: o.repositories, AllowFewer: o.allowFewer,
		Customers: m.activeCustomers()}
	options := sources.Options{Dir: m.dir, Lookup: m.app.lookup, Teams: client.OrganizationTeams, Organizations: s.Organizations(), UserAgent: "metapipe/" + m.app.Version.Number, Now: m.app.Now, Sleep: m.app.Sleep}
	s.Connect = func(c sourcesync.SourceConfig) (sourcesync.Source, error) { return sources.New(c, options) }
	return s
}

// playSync shows a plan, or applies it and keeps what is there then.
func (m *manager) playSync(ctx context.Context, o syncOptions, c sourcesync.Config, result sourcesync.Result, records record.Records, w change.Writer) error {
	p, report := result.Plan, result.Report
	if err := p.Check(); err != nil {
		return err
	}
	report.Report = p.Show()
	guard := result.Guard(c, o.maxChanges)
	if !o.apply || guard != nil {
		err := errors.Join(m.showSync(o, report), report.Err())
		if o.apply {
			return errors.Join(err, guard)
		}
		if guard != nil {
			m.app.logf("--apply would be refused: %v", guard)
		}
		return err
	}
	rows, undo, err := m.applyPlan(ctx, o.changeOptions, p, w, records)
	if rows == nil {
		return err
	}
	report.Applied, report.Rows, report.Undo = true, rows, undo
	if o.from == "" { // after the way back, the next run has to see that someone has changed the values
		err = errors.Join(err, result.Keep(ctx, records, m.app.Now(), report.Rows))
	}
	err = errors.Join(m.showSync(o, report), err)
	m.logUndo("metapipe sync", undo)
	return errors.Join(err, report.Err())
}

func (m *manager) showSync(o syncOptions, r sourcesync.Report) error {
	unavailable := 0
	for _, s := range r.Sources {
		if s.Reason != "" {
			unavailable++
		}
	}
	changes := len(r.Rows) - r.Count(change.Same)
	err := m.outputs("changes", strconv.Itoa(changes), "written", strconv.Itoa(r.Count(change.Written)),
		"failed", strconv.Itoa(r.Count(change.Failed, change.Refused, change.Uncertain, change.Left)), "unavailable", strconv.Itoa(unavailable), "findings", strconv.Itoa(len(r.Findings)))
	if err := errors.Join(err, m.summarize(render.Sync(r))); err != nil {
		return err
	}
	if o.json {
		return m.app.printJSON(r)
	}
	_, err = fmt.Fprint(m.app.Out, render.SyncText(r))
	if !r.Applied && changes > 0 {
		m.app.logf("nothing is written: --apply writes it")
	}
	return err
}

// syncGitHub is GitHub as sync sees it.
type syncGitHub struct{ *github.Client }

// Repositories implements sourcesync.GitHub.
func (g syncGitHub) Repositories(ctx context.Context, organization string) ([]sourcesync.Repository, error) {
	list, err := g.OrganizationRepositories(ctx, organization)
	if err != nil {
		return nil, err
	}
	all := make([]sourcesync.Repository, 0, len(list))
	for _, r := range list {
		all = append(all, sourcesync.Repository{Repository: r.Repository, Properties: r.Properties, Err: r.Err})
	}
	return all, nil
}
