package cli

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/starter"
	"github.com/metapipe/metapipe/pkg/tempdir"
	"github.com/metapipe/metapipe/pkg/text"
	"github.com/metapipe/metapipe/pkg/variables"
)

type initOptions struct {
	dir, managerDir        string
	environments, gated    []string
	tool, bucket, region   string
	stateDir               string
	customer, dryRun, asks bool
	onGitHub               gitHubOptions
}

func newInitCmd(app *App) *cobra.Command {
	var o initOptions
	cmd := &cobra.Command{
		Use:   "init [DIR]",
		Short: "Write the first files of a manager, or with --customer of a customer",
		Long: `init writes the first files of a manager repository into DIR (default: the working
directory): metapipe.yml, a root module that plans without any cloud, the schema of
variables.yml, the workflows and a README. "metapipe validate" and "metapipe rehearse"
accept them as they are. On a terminal and without flags it asks for the environments, the
tool and the state, and lists the files before it writes them.

With --customer it writes those of a customer repository: infra/variables.yml with what the
schema of the manager requires, and the workflow that sends requests. The manager is the one
of --manager-dir.

With --github OWNER/REPO it also shows what the repository of the manager lacks on GitHub: the
environments with reviewers and branch policies, variables, a ruleset on the default branch,
and the settings of Actions. --apply writes that. Right before its write each setting must
still be the one that was shown; it is read back after it, and the ledger of the fleet
records both. What is stricter stays. A run that was interrupted can be run again, and a
file with the way back is kept, which --from takes. Where DIR is a manager already, no file
is written.

Environment with --github: GITHUB_TOKEN of an administrator of the repository (administration
and variables write, actions read). With --apply METAPIPE_KEY; AWS: read and write of the bucket.

init replaces nothing. A file that is there stays as it is, and is named if it differs. A
second run with the same flags writes nothing.`,
		Example: `  metapipe init manager
  metapipe init platform --environments dev,staging,production --gated staging,production --bucket acme-states --region eu-west-1
  metapipe init --customer shop --manager-dir manager`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return pipeline.Usagef("init takes one directory, and got %d", len(args)).Nextf("name the directory of the new repository")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return app.runInit(cmd, args, o) },
	}
	f := cmd.Flags()
	f.StringSliceVar(&o.environments, "environments", []string{"staging", "production"}, "the `NAMES` of the environments, in promotion order")
	f.StringSliceVar(&o.gated, "gated", nil, "the `NAMES` of those whose applies wait for a reviewer, or none (default: the last one)")
	f.StringVar(&o.tool, "tool", "terraform", "the `TOOL` that plans and applies: terraform or tofu")
	f.StringVar(&o.bucket, "bucket", "", "the S3 `BUCKET` of states and plans (default: the one that TF_STATE_BUCKET names)")
	f.StringVar(&o.region, "region", "", "the `REGION` of --bucket")
	f.StringVar(&o.stateDir, "state-dir", "", "`DIR` of states and plans on one machine, in place of a bucket")
	f.BoolVar(&o.customer, "customer", false, "write the files of a customer repository")
	f.StringVar(&o.managerDir, "manager-dir", "", "with --customer: `DIR` of the manager checkout (default: the working directory)")
	f.BoolVar(&o.dryRun, "dry-run", false, "list the files, and write none")
	o.onGitHub.flags(cmd)
	return cmd
}

func (a *App) runInit(cmd *cobra.Command, args []string, o initOptions) error {
	if err := oneOfFlags(cmd, "bucket", "state-dir"); err != nil {
		return err
	}
	for _, name := range []string{"environments", "gated", "tool", "bucket", "region", "state-dir"} { // the manager has chosen
		if err := oneOfFlags(cmd, "customer", name); err != nil {
			return err
		}
	}
	if len(args) == 1 {
		o.dir = args[0]
	}
	if err := o.onGitHub.check(cmd); err != nil {
		return err
	}
	if o.onGitHub.repository != "" {
		return a.initGitHub(cmd.Context(), o)
	}
	o.asks = cmd.Flags().NFlag() == 0 && a.onTerminal && isTerminal(a.In, a.lookup)
	return a.init(cmd.Context(), o)
}

func (a *App) init(ctx context.Context, o initOptions) error {
	if o.region != "" && o.bucket == "" {
		return pipeline.Usagef("--region is the region of --bucket").Nextf("add --bucket, or leave --region out")
	}
	if _, err := a.managerDir(o.managerDir); err != nil {
		return err
	}
	if err := a.checkInitDir(o); err != nil {
		return err
	}
	if o.managerDir != "" && !o.customer {
		return pipeline.Usagef("--manager-dir is for the files of a customer").Nextf("add --customer, or name the directory of the new manager alone")
	}
	questions := newQuestions(a)
	if o.asks {
		if err := questions.manager(ctx, &o); err != nil {
			return err
		}
	}
	files, err := a.initFiles(o)
	if err != nil {
		return err
	}
	dir := a.absolute(o.dir)
	missing, err := a.missingFiles(dir, files, o)
	if err != nil {
		return err
	}
	if len(missing) == 0 {
		a.logf("nothing to write: all %d files are there", len(files))
		return nil
	}
	if o.dryRun {
		a.logf("nothing was written: --dry-run")
		return nil
	}
	if o.asks {
		yes, err := questions.ask(ctx, fmt.Sprintf("Write %s to %s? [y/N] ", count(len(missing), "file"), dir), "n")
		if err != nil {
			return err
		}
		if yes = strings.ToLower(yes); yes != "y" && yes != "yes" {
			a.logf("nothing was written")
			return nil
		}
	}
	if err := writeNew(dir, missing); err != nil {
		return err
	}
	a.logf("%s written to %s", count(len(missing), "file"), dir)
	a.afterInit(o, dir)
	return nil
}

// checkInitDir refuses a directory that is the other side already.
func (a *App) checkInitDir(o initOptions) error {
	dir := a.absolute(o.dir)
	if o.customer && isManager(dir) {
		return pipeline.Usagef("%s is a manager: it has %s", dir, config.ManagerFile).Nextf("name the directory of the customer: metapipe init --customer DIR --manager-dir %s", shellWord(dir))
	}
	if !o.customer && !isManager(dir) && exists(filepath.Join(dir, filepath.FromSlash(config.DefaultPath), pipeline.VariablesFile)) {
		return pipeline.Usagef("%s is a customer: it has %s/%s", dir, config.DefaultPath, pipeline.VariablesFile).Nextf("name another directory for the manager, or add --customer")
	}
	return nil
}

// initFiles are the files of the new repository.
func (a *App) initFiles(o initOptions) (map[string][]byte, error) {
	if o.customer {
		return a.customerFiles(o)
	}
	if !slices.Contains(config.Tools(), o.tool) {
		return nil, pipeline.Usagef("--tool is %s", pipeline.QuoteTyped(o.tool)).Nextf("%suse one of: %s; for another tool write a stack into %s afterwards", pipeline.DidYouMean(o.tool, config.Tools()), strings.Join(config.Tools(), ", "), config.ManagerFile)
	}
	m := starter.Manager{Tool: o.tool, Bucket: o.bucket, Region: o.region, StateDir: o.stateDir}
	if len(o.environments) == 0 {
		return nil, pipeline.Usagef("--environments names no environment").Nextf("name at least one, such as production")
	}
	gated := o.gated
	switch {
	case gated != nil && len(gated) == 0 || slices.Contains(gated, "") || len(gated) > 1 && slices.Contains(gated, "none"):
		return nil, pipeline.Usagef("--gated is %s", pipeline.QuoteTyped(strings.Join(gated, ","))).Nextf("write names with commas between them, or none alone")
	case gated == nil:
		gated = o.environments[len(o.environments)-1:]
	case len(gated) == 1 && gated[0] == "none":
		gated = nil
	}
	for i, name := range o.environments {
		env, err := pipeline.ParseEnvironment(name)
		if err != nil {
			return nil, pipeline.Usagef("--environments has a name that cannot be used").Because(err).Nextf("write names with commas between them, such as staging,production")
		}
		if slices.Contains(o.environments[:i], name) {
			return nil, pipeline.Usagef("--environments names %s twice", name).Nextf("name each environment once")
		}
		m.Environments = append(m.Environments, starter.Environment{Name: env, Gated: slices.Contains(gated, name)})
	}
	for _, name := range gated {
		if !slices.Contains(o.environments, name) {
			return nil, pipeline.Usagef("--gated has %s, which is no environment", pipeline.QuoteTyped(name)).Nextf("use some of: %s", strings.Join(o.environments, ", "))
		}
	}
	files, err := m.Files()
	if err != nil {
		return nil, err
	}
	return files, checkStarter(files)
}

// checkStarter reads the files as validate does, before any of them is written.
func checkStarter(files map[string][]byte) error {
	dir, remove, err := tempdir.New("")
	if err != nil {
		return err
	}
	defer func() { _ = remove() }() // the next process removes what stays
	if err := writeNew(dir, files); err != nil {
		return err
	}
	if _, problems := config.Load(dir); problems.Err() != nil {
		return pipeline.Usagef("%s would not be valid", config.ManagerFile).Because(problems.Err()).Nextf("correct the flags")
	}
	return nil
}

func (a *App) customerFiles(o initOptions) (map[string][]byte, error) {
	managerDir, err := a.managerDir(o.managerDir)
	if err != nil {
		return nil, err
	}
	if !isManager(managerDir) {
		return nil, pipeline.Usagef("there is no %s in %s, so it is not known what the customer may write", config.ManagerFile, managerDir).Nextf("name the checkout of the manager with --manager-dir")
	}
	loaded, problems := config.Load(managerDir)
	if problems.Err() != nil {
		return nil, pipeline.Usagef("read the manager in %s", managerDir).Because(problems.Err()).Nextf("run `metapipe validate` there")
	}
	var schema *variables.Schema
	if schema, problems = newRules(managerDir).schema(loaded.Manager.Schema); problems.Err() != nil {
		return nil, pipeline.Usagef("read the schema of the manager in %s", managerDir).Because(problems.Err()).Nextf("run `metapipe validate` there")
	}
	return starter.Customer(schema, config.Unregistered(loaded.Manager, managerDir, "customer").Allowed())
}

// missingFiles lists what becomes of each file, and returns those that are not there. A manager that was set up
// otherwise is refused: half of its files would be for other environments.
func (a *App) missingFiles(dir string, files map[string][]byte, o initOptions) (map[string][]byte, error) {
	missing := map[string][]byte{}
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		missing = maps.Clone(files)
	} else if err != nil {
		return nil, pipeline.Usagef("open %s", dir).Because(text.FileError(err)).Nextf("name a directory that this user may write")
	} else {
		defer root.Close()
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		what := "new"
		if root != nil {
			there, err := root.ReadFile(name)
			switch {
			case errors.Is(err, fs.ErrNotExist):
				missing[name] = files[name]
			case err != nil:
				return nil, pipeline.Usagef("read %s in %s", name, dir).Because(text.FileError(err)).Nextf("make it a plain file, or remove it")
			case bytes.Equal(there, files[name]):
				what = "unchanged"
			case name == config.ManagerFile && !o.customer:
				return nil, pipeline.Usagef("%s is a manager already, and its %s says something else", dir, name).
					Nextf("edit %s, and run `metapipe validate --write-workflows` there; or name another directory", name)
			default:
				what = "kept (differs)"
			}
		}
		fmt.Fprintf(a.Out, "%-14s  %s\n", what, name)
	}
	return missing, nil
}

// writeNew writes files that are not there. One that has appeared meanwhile stays.
func writeNew(dir string, files map[string][]byte) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return pipeline.Usagef("make %s", dir).Because(text.FileError(err)).Nextf("name a directory that this user may write")
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("open %s: %w", dir, text.FileError(err))
	}
	defer root.Close()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
			return fmt.Errorf("make %s: %w", path.Dir(name), text.FileError(err))
		}
		file, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return fmt.Errorf("write %s: %w", name, text.FileError(err))
		}
		_, err = file.Write(files[name])
		if err := errors.Join(err, file.Close()); err != nil {
			return fmt.Errorf("write %s: %w", name, errors.Join(text.FileError(err), root.Remove(name)))
		}
	}
	return nil
}

// afterInit says what comes next.
func (a *App) afterInit(o initOptions, dir string) {
	where := shellWord(o.dir)
	if o.dir == "" {
		where = "."
	}
	if !o.customer {
		a.logf("next: metapipe init --customer %s --manager-dir %s", shellWord(filepath.Join(filepath.Dir(filepath.Clean(o.dir)), "shop")), where)
		return
	}
	manager := shellWord(o.managerDir)
	if o.managerDir == "" {
		manager = "."
	}
	a.logf("next: metapipe validate --manager-dir %s --customer-dir %s", manager, where)
	a.logf("next: metapipe rehearse --manager-dir %s --customer-dir %s --approve yes", manager, where)
}

// questions are put to a person at the terminal.
type questions struct {
	app   *App
	lines *bufio.Reader
}

func newQuestions(a *App) questions { return questions{a, bufio.NewReader(a.In)} }

// ask returns the answer, or otherwise for an empty line.
func (q questions) ask(ctx context.Context, question, otherwise string) (string, error) {
	fmt.Fprint(q.app.Err, question)
	type answer struct {
		line string
		err  error
	}
	answered := make(chan answer, 1)
	go func() {
		line, err := q.lines.ReadString('\n')
		answered <- answer{strings.TrimSpace(line), err}
	}()
	select {
	case <-ctx.Done(): // the read goes on until the process ends
		return "", ctx.Err()
	case a := <-answered:
		if a.err != nil && a.line == "" {
			return "", pipeline.Usagef("there was no answer").Nextf("answer the questions, or use the flags: `metapipe init --help`")
		}
		if a.line == "" {
			return otherwise, nil
		}
		return a.line, nil
	}
}

// manager asks what a new manager is made of.
func (q questions) manager(ctx context.Context, o *initOptions) error {
	list := func(text string) []string {
		return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
	}
	answer, err := q.ask(ctx, "Environments, in promotion order [staging, production]: ", "staging, production")
	if err != nil {
		return err
	}
	o.environments = list(answer)
	if len(o.environments) > 0 {
		last := o.environments[len(o.environments)-1]
		if answer, err = q.ask(ctx, fmt.Sprintf("Environments that need a reviewer before an apply (names, or none) [%s]: ", last), last); err != nil {
			return err
		}
		o.gated = list(answer)
	}
	if o.tool, err = q.ask(ctx, fmt.Sprintf("Tool: %s [terraform]: ", strings.Join(config.Tools(), " or ")), "terraform"); err != nil {
		return err
	}
	o.bucket, err = q.ask(ctx, "S3 bucket for states and plans (empty: the variable TF_STATE_BUCKET, or a directory of this machine): ", "")
	return err
}
