package cli

import (
	"context"
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
	"github.com/metapipe/metapipe/pkg/render"
	"github.com/metapipe/metapipe/pkg/text"
)

type complianceOptions struct {
	managerDir, repository, severity, failOn string
	limit                                    int
	json, sarif, markdown, allowUnknown      bool
}

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
nothing to GitHub.

What could not be read is listed as not known: no one can say whether it complies. It
ends the command with exit code 1, unless --allow-unknown is given. Archived
repositories, templates and forks are not compared.

--severity, --repository and --limit narrow what is compared or shown; --fail-on counts
only what is compared. --sarif prints a log for GitHub's code scanning.

Environment: SOURCE_REPOS_PAT (all repositories of the organizations: metadata and
contents read; organizations: custom properties and members read).
Outputs: findings, critical, high, medium, low, unknown and score.
Exit code 1: something could not be read. Exit code 6: there are findings of the
severity of --fail-on, or higher.`,
		Example: `  metapipe compliance
  metapipe compliance --repository "acme/shop-*" --severity high
  metapipe compliance --sarif >compliance.sarif`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return app.compliance(cmd.Context(), o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.managerDir, "manager-dir", "", "`DIR` of the manager checkout (default: the working directory)")
	f.StringVar(&o.repository, "repository", "", "only repositories whose name, or owner/name, matches this `PATTERN`")
	f.StringVar(&o.severity, "severity", string(compliance.Low), "show findings of this `SEVERITY` and higher: critical, high, medium or low")
	f.StringVar(&o.failOn, "fail-on", string(compliance.Critical), "fail on findings of this `SEVERITY` and higher: critical, high, medium, low or none")
	f.IntVar(&o.limit, "limit", 0, "compare only the first `N` repositories, to try rules out (default: all)")
	f.BoolVar(&o.allowUnknown, "allow-unknown", false, "do not fail because something could not be read")
	f.BoolVar(&o.json, "json", false, "print JSON")
	f.BoolVar(&o.sarif, "sarif", false, "print a SARIF log")
	f.BoolVar(&o.markdown, "markdown", false, "print Markdown, as in the job summary")
	cmd.MarkFlagsMutuallyExclusive("json", "sarif", "markdown")
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
		Args:    cobra.ExactArgs(1),
		RunE:    func(_ *cobra.Command, args []string) error { return app.complianceImport(args[0]) },
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
		a.logf("not imported: %s", note)
	}
	_, err = a.Out.Write(file)
	return err
}

// check refuses flags that say nothing sensible.
func (o complianceOptions) check() error {
	words := compliance.SeverityWords()
	if !slices.Contains(words, o.severity) {
		return pipeline.Usagef("--severity is %s", pipeline.QuoteTyped(o.severity)).Nextf("use one of: %s", strings.Join(words, ", "))
	}
	if !slices.Contains(words, o.failOn) && o.failOn != failOnNone {
		return pipeline.Usagef("--fail-on is %s", pipeline.QuoteTyped(o.failOn)).Nextf("use one of: %s, %s", strings.Join(words, ", "), failOnNone)
	}
	if _, err := path.Match(o.repository, ""); err != nil || strings.Count(o.repository, "/") > 1 {
		return pipeline.Usagef("--repository is %s", pipeline.QuoteTyped(o.repository)).Nextf(`write a name such as "shop-*", or "acme/shop-*"`)
	}
	if o.limit < 0 {
		return pipeline.Usagef("--limit is %d", o.limit).Nextf("write a number above 0, or leave it out")
	}
	return nil
}

func (a *App) compliance(ctx context.Context, o complianceOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	s, err := a.newStep()
	if err != nil {
		return err
	}
	m, err := s.loadManager(o.managerDir)
	if err != nil {
		return err
	}
	rules, problems := config.LoadCompliance(m.dir, a.Now())
	if err := problems.Err(); err != nil {
		return pipeline.Usagef("read the rules").Because(err).Nextf("see docs/COMPLIANCE.md")
	}
	client, err := m.github.clientFor(envSourceToken, grantCompliance)
	if err != nil {
		return err
	}
	scan := compliance.Scan{Rules: rules, GitHub: client, Customers: map[int64]pipeline.Customer{}, Detect: detectContent(m.config.Manager), Now: a.Now(), Repository: o.repository, Limit: o.limit}
	for _, c := range m.config.Customers {
		if !c.Offboarded {
			scan.Customers[c.RepositoryID] = c
		}
	}
	result, err := scan.Run(ctx)
	if err != nil {
		return err
	}
	if err := s.showCompliance(result, o); err != nil {
		return err
	}
	return complianceVerdict(result, o)
}

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
		return &pipeline.FailedError{Message: fmt.Sprintf("%d things could not be read, so it is not known whether they comply", len(r.Unknown)), Next: "the list says why for each; --allow-unknown does not fail on them"}
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
