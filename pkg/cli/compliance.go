package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/compliance"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/render"
	"github.com/metapipe/metapipe/pkg/text"
)

type complianceOptions struct {
	changeOptions
	repository, severity, failOn  string
	limit, customerIssues         int
	sarif, markdown, allowUnknown bool
	history, issue, remediate     bool
}

// keeps reports whether the scan reads and writes what earlier scans have found.
func (o complianceOptions) keeps() bool { return o.history || o.issue || o.customerIssues > 0 }

// fixes reports whether a plan of writes takes the place of the report.
func (o complianceOptions) fixes() bool { return o.remediate || o.from != "" }

// failOnNone is the value of --fail-on with which findings do not fail.
const failOnNone = "none"

func newComplianceCmd(app *App) *cobra.Command {
	var o complianceOptions
	cmd := &cobra.Command{
		Use:   "compliance",
		Short: "Compare the repositories of organizations with compliance.yml",
		Long: `compliance reads all repositories of the organizations that own customers' repositories,
or of those that compliance.yml names. It compares their custom properties, their teams
and what lies at the top of each with the rules there (docs/COMPLIANCE.md). It writes
nothing to GitHub without --issue, --customer-issues or --apply.

What could not be read is listed as not known: no one can say whether it complies. It
ends the command with exit code 1, unless --allow-unknown is given. Archived
repositories and templates are not compared, forks only with "forks: true".

--severity, --repository and --limit narrow what is compared or shown; --fail-on counts
only what is compared. --sarif prints a log for GitHub's code scanning.

--history keeps the scan in the store, and compares with earlier ones: the trend, and
since when a value is there. --issue keeps one issue in the manager, --customer-issues N
one in the repository of each customer with findings. Both imply --history. An issue is
opened, edited when the findings change, and closed; an unchanged scan writes nothing,
and what is not known closes nothing. A label such as compliance-snooze-2030-01-31 leaves
an issue alone until the end of that day.

--remediate prints the new values that fix findings, as far as "fix" in compliance.yml
allows, and with --apply writes them. Each value must still be the one that was read, and
is read back. The ledger records both values. A file with the way back is kept, which
--from takes. More than 30 repositories, or a tenth of all, need --max-changes N.

Environment: SOURCE_REPOS_PAT (all repositories of the organizations: metadata and
contents read, with --customer-issues issues write; organizations: members read, custom
properties read, with --apply write); with --history or --apply METAPIPE_KEY; with
--issue GITHUB_TOKEN (issues write). AWS with --history or --apply: read and write of
the bucket.
Outputs: findings, critical, high, medium, low, unknown and score.
Exit code 1: something could not be read or written. Exit code 4: a value has changed
since it was read. Exit code 6: there are findings of the severity of --fail-on, or
higher.`,
		Example: `  metapipe compliance
  metapipe compliance --repository "acme/shop-*" --severity high
  metapipe compliance --issue
  metapipe compliance --remediate --apply
  metapipe compliance --sarif >compliance.sarif`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := oneOfFlags(cmd, "json", "sarif", "markdown"); err != nil {
				return err
			}
			for _, scan := range []string{"sarif", "markdown", "history", "issue", "customer-issues"} { // a plan of writes takes their place
				if err := oneOfFlags(cmd, "remediate", "from", scan); err != nil {
					return err
				}
			}
			return app.compliance(cmd.Context(), o)
		},
	}
	o.changeOptions.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&o.repository, "repository", "", "only repositories whose name, or owner/name, matches this `PATTERN`")
	f.StringVar(&o.severity, "severity", string(compliance.Low), "show findings of this `SEVERITY` and higher: critical, high, medium or low")
	f.StringVar(&o.failOn, "fail-on", string(compliance.Critical), "fail on findings of this `SEVERITY` and higher: critical, high, medium, low or none")
	f.IntVar(&o.limit, "limit", 0, "compare only the first `N` repositories, to try rules out (default: all)")
	f.BoolVar(&o.allowUnknown, "allow-unknown", false, "do not fail because something could not be read")
	f.BoolVar(&o.history, "history", false, "compare with earlier scans in the store, and keep this one")
	f.BoolVar(&o.issue, "issue", false, "keep one issue in the manager")
	f.IntVar(&o.customerIssues, "customer-issues", 0, "keep one issue in the repository of each customer with findings, and write at most `N` times")
	f.BoolVar(&o.remediate, "remediate", false, "show the new values that fix findings, and nothing else")
	f.BoolVar(&o.sarif, "sarif", false, "print a SARIF log")
	f.BoolVar(&o.markdown, "markdown", false, "print Markdown, as in the job summary")
	cmd.AddCommand(newComplianceImportCmd(app))
	return cmd
}

func newComplianceImportCmd(app *App) *cobra.Command {
	return &cobra.Command{
		Use:   "import FILE",
		Short: "Print a compliance.yml made of the config.json of the repository template",
		Long: `import reads the config.json with which the template for property compliance is set up,
and prints the same rules as a compliance.yml. What has no place there is named. It
writes no file.`,
		Example: "  metapipe compliance import config.json >compliance.yml",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return pipeline.Usagef("import takes one file").Nextf("run: metapipe compliance import config.json")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error { return app.complianceImport(args[0]) },
	}
}

func (a *App) complianceImport(name string) error {
	at, err := a.namedFile("FILE", name, "name the config.json of the template")
	if err != nil {
		return err
	}
	raw, err := os.ReadFile(at)
	if err != nil {
		return fmt.Errorf("read %s: %w", name, text.FileError(err))
	}
	file, notes, problems := config.ImportCompliance(name, raw, a.Now())
	if err := problems.Err(); err != nil {
		return pipeline.Usagef("%s cannot be imported", name).Because(err).Nextf("fix the file, or leave out what is named")
	}
	for _, note := range notes {
		a.logf("%s", note)
	}
	_, err = a.Out.Write(file)
	return err
}

// check refuses flags that say nothing sensible.
func (o complianceOptions) check() error {
	words := compliance.SeverityWords()
	if !slices.Contains(words, o.severity) {
		return pipeline.Usagef("--severity is %s", pipeline.QuoteTyped(o.severity)).Nextf("%suse one of: %s", pipeline.DidYouMean(o.severity, words), strings.Join(words, ", "))
	}
	if !slices.Contains(words, o.failOn) && o.failOn != failOnNone {
		return pipeline.Usagef("--fail-on is %s", pipeline.QuoteTyped(o.failOn)).Nextf("%suse one of: %s, %s", pipeline.DidYouMean(o.failOn, append(slices.Clone(words), failOnNone)), strings.Join(words, ", "), failOnNone)
	}
	if _, err := path.Match(o.repository, ""); err != nil || strings.Count(o.repository, "/") > 1 {
		return pipeline.Usagef("--repository is %s", pipeline.QuoteTyped(o.repository)).Nextf(`write a name such as "shop-*", or "acme/shop-*"`)
	}
	switch {
	case o.from != "" && (o.repository != "" || o.limit > 0 || o.severity != string(compliance.Low)):
		return pipeline.Usagef("--from names repositories and values itself").Nextf("leave out --repository, --severity and --limit")
	case o.limit < 0:
		return pipeline.Usagef("--limit is %d", o.limit).Nextf("write a number above 0, or leave it out")
	case o.customerIssues < 0 || o.customerIssues > maxIssueWrites:
		return pipeline.Usagef("--customer-issues cannot be negative, and is %d at most", maxIssueWrites)
	case o.issue && (o.repository != "" || o.limit > 0):
		return pipeline.Usagef("--issue is about all repositories").Nextf("leave out --repository and --limit, or --issue")
	case (o.apply || o.maxChanges > 0) && !o.fixes():
		return pipeline.Usagef("--apply and --max-changes need the values that --remediate or --from shows").Nextf("add one of them")
	}
	return o.changeOptions.check()
}

func (a *App) compliance(ctx context.Context, o complianceOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	if o.from != "" {
		return a.complianceUndo(ctx, o)
	}
	m, rules, err := a.complianceManager(ctx, o)
	if err != nil {
		return err
	}
	client, err := m.github.organization(complianceGrants(o))
	if err != nil {
		return err
	}
	scan := compliance.Scan{Rules: rules, GitHub: client, Customers: map[int64][]pipeline.Customer{}, Parse: m.parse, Detect: detectContent(m.config.Manager), Now: a.Now(), Repository: o.repository, Limit: o.limit,
		Protected: protectedProperties(m.config.Manager), FixFrom: compliance.Severity(o.severity)}
	for _, c := range m.activeCustomers() {
		scan.Customers[c.RepositoryID] = append(scan.Customers[c.RepositoryID], c)
	}
	histories := compliance.Histories{Records: record.Records{Store: m.store, Sealer: m.sealer}, Now: a.Now}
	if o.keeps() {
		earlier, err := histories.Load(ctx)
		if err != nil {
			return err
		}
		scan.Earlier = &earlier
	}
	result, err := scan.Run(ctx)
	if err != nil {
		return err
	}
	if o.remediate {
		return m.complianceFix(ctx, o, client, result)
	}
	if o.keeps() {
		err = histories.Save(ctx, runName(m.run()), scan.Next(result))
	}
	err = errors.Join(err, m.complianceIssues(ctx, o, client, result), m.showCompliance(result, o))
	if err != nil {
		return err
	}
	return complianceVerdict(result, o)
}

// complianceManager opens the manager, with its store and key only where something is kept there, and reads
// the rules.
func (a *App) complianceManager(ctx context.Context, o complianceOptions) (m *manager, rules compliance.Rules, err error) {
	read := func(m *manager) error {
		var problems pipeline.Problems
		if rules, problems = config.LoadCompliance(m.dir, a.Now()); problems.Err() != nil {
			return pipeline.Usagef("read the rules").Because(problems.Err()).Nextf("see docs/COMPLIANCE.md")
		}
		return nil
	}
	o.tokens = []string{envSourceToken}
	if o.issue {
		o.tokens = append(o.tokens, envOwnToken)
	}
	if o.keeps() {
		m, err = a.openManagerAfter(ctx, o.directories, read)
	} else {
		m, err = a.changeManager(ctx, o.changeOptions, read)
	}
	return m, rules, err
}

// runName names a run in keys of the store.
func runName(r pipeline.Run) string { return fmt.Sprintf("%d-%d", r.ID, r.Attempt) }

// showCompliance prints the findings that were asked for. Outputs count all of them.
func (s *step) showCompliance(r compliance.Report, o complianceOptions) (err error) {
	pairs := []string{"findings", strconv.Itoa(len(r.Findings)), "unknown", strconv.Itoa(len(r.Unknown)), "score", fmt.Sprintf("%.1f", r.Score)}
	for _, severity := range compliance.Severities {
		pairs = append(pairs, string(severity), strconv.Itoa(r.Count(severity)))
	}
	if err := s.outputs(pairs...); err != nil {
		return err
	}
	r.Findings = slices.DeleteFunc(slices.Clone(r.Findings), func(f compliance.Finding) bool { return !f.Severity.AtLeast(compliance.Severity(o.severity)) })
	if err := s.summarize(render.Compliance(r)); err != nil {
		return err
	}
	switch {
	case o.json:
		return s.app.printJSON(r)
	case o.sarif:
		raw, err := render.ComplianceSARIF(r, s.app.Version.Number)
		if err != nil {
			return err
		}
		_, err = s.app.Out.Write(raw)
		return err
	case o.markdown:
		_, err = fmt.Fprint(s.app.Out, render.Compliance(r))
		return err
	}
	_, err = fmt.Fprint(s.app.Out, render.ComplianceText(r))
	return err
}

// complianceVerdict fails on what is not known, and then on findings.
func complianceVerdict(r compliance.Report, o complianceOptions) error {
	if len(r.Unknown) > 0 && !o.allowUnknown {
		return unknownError(r)
	}
	if o.failOn == failOnNone {
		return nil
	}
	count := 0
	for _, f := range r.Findings {
		if f.Severity.AtLeast(compliance.Severity(o.failOn)) {
			count++
		}
	}
	if count > 0 {
		return findingsError{count}
	}
	return nil
}

func unknownError(r compliance.Report) error {
	return &pipeline.FailedError{Message: fmt.Sprintf("it is not known whether all repositories comply: %d of the answers could not be read", len(r.Unknown)), Next: "the list says why for each; --allow-unknown does not fail on them"}
}

// detectContent says what entries at the top of a repository are, by the patterns of metapipe.yml.
func detectContent(m pipeline.Manager) func([]compliance.Entry) (app, infra bool) {
	rules := pipeline.DefaultContentRules()
	if m.Content != nil {
		rules = *m.Content
	}
	patterns := func(list []string) (all []pipeline.CodePattern) {
		for _, p := range list {
			all = append(all, pipeline.ParseCodePattern(pipeline.FillContentPattern(p, config.DefaultPath)))
		}
		return all
	}
	app, infra, ignore := patterns(rules.App), patterns(rules.Infra), patterns(rules.Ignore)
	hits := func(list []pipeline.CodePattern, name string) bool {
		return slices.ContainsFunc(list, func(p pipeline.CodePattern) bool { return p.Match(name) })
	}
	return func(root []compliance.Entry) (isApp, isInfra bool) {
		for _, e := range root {
			if hits(ignore, e.Name) {
				continue
			}
			isApp, isInfra = isApp || hits(app, e.Name), isInfra || hits(infra, e.Name)
		}
		return isApp, isInfra
	}
}
