package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/report"
	"github.com/metapipe/metapipe/pkg/terraform"
	"github.com/metapipe/metapipe/pkg/variables"
)

type validateOptions struct {
	managerDir, customerDir, path, customer string
	writeWorkflows                          bool
}

func newValidateCmd(app *App) *cobra.Command {
	var o validateOptions
	cmd := &cobra.Command{
		Use:   "validate",
		Short: "Show every problem of a manager or customer checkout at once",
		Long: `validate checks the checkout it stands in: metapipe.yml, customers/ and the schema
of a manager; variables.yml of a customer. Each problem is printed as
file:line:column, rule, and what to do; in Actions also as an annotation. A
customer's file is checked under the rules of a manager with --manager-dir.

Where a manager has the workflow .github/workflows/infra-deploy.yml, its chain of jobs
must lead through the environments of metapipe.yml in their order; with
--write-workflows it is written so first.

Exit code 6 means that there are problems.`,
		Example: "  metapipe validate --customer-dir ../shop-platform --manager-dir .",
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return app.validate(cmd.Context(), o) },
	}
	cmd.Flags().StringVar(&o.managerDir, "manager-dir", "", "`DIR` of a manager checkout")
	cmd.Flags().StringVar(&o.customerDir, "customer-dir", "", "`DIR` of a customer checkout")
	cmd.Flags().StringVar(&o.path, "path", "", "`DIR` of variables.yml in the customer checkout (default: the customer's, else infra)")
	cmd.Flags().StringVar(&o.customer, "customer", "", "check the file as that of this registered customer `NAME`")
	cmd.Flags().BoolVar(&o.writeWorkflows, "write-workflows", false, "write the chain of jobs for the environments of metapipe.yml into the manager's workflow first")
	return cmd
}

func (a *App) validate(ctx context.Context, o validateOptions) error {
	s, err := a.newStep()
	if err != nil {
		return err
	}
	if err := a.detect(&o); err != nil {
		return err
	}
	if o.writeWorkflows && o.managerDir == "" {
		return &pipeline.UsageError{Message: "--write-workflows without a manager checkout", Next: "name one with --manager-dir"}
	}
	var problems pipeline.Problems
	customer := pipeline.Customer{Path: cmp.Or(o.path, config.DefaultPath), Manager: config.Default()}
	rules := schemas{dir: o.managerDir, compiled: map[string]*variables.Schema{}}
	var registered []pipeline.Customer
	if o.managerDir != "" {
		loaded, found := config.Load(o.managerDir)
		registered = loaded.Customers
		problems = append(problems, found...)
		chain, err := s.chain(o, loaded.Manager, found)
		if err != nil {
			return err
		}
		problems = append(problems, chain...)
		problems = append(problems, rootProblems(o.managerDir, loaded)...)
		customer.Manager = loaded.Manager
		if customer, err = s.validated(ctx, o, loaded); err != nil {
			return err
		}
	}
	if o.customerDir != "" {
		found := s.validateVariables(o, customer, rules)
		if customer.File == "" {
			suggestCustomer(found, o.customerDir, registered)
		}
		problems = append(problems, found...)
	}
	return s.showProblems(o, problems)
}

// validated is the customer that the checkout is checked as.
func (s *step) validated(ctx context.Context, o validateOptions, c config.Config) (pipeline.Customer, error) {
	if o.customerDir == "" {
		if o.customer != "" {
			return c.Named(o.customer)
		}
		return pipeline.Customer{Manager: c.Manager}, nil
	}
	match, err := s.match(ctx, c, config.Checkout{Dir: o.customerDir, Name: o.customer, Path: o.path})
	if err != nil || match.Found {
		return match.Customer, err
	}
	return pipeline.Customer{Path: cmp.Or(o.path, config.DefaultPath), Manager: c.Manager}, nil
}

// rootProblems checks each root module that customers are planned with, once.
func rootProblems(dir string, c config.Config) pipeline.Problems {
	customers := c.Customers
	if len(customers) == 0 {
		customers = []pipeline.Customer{config.Unregistered(c.Manager, dir, "new")}
	}
	var problems pipeline.Problems
	checked := map[string]bool{}
	for _, customer := range customers {
		if !checked[customer.Root] {
			checked[customer.Root] = true
			problems = append(problems, terraform.CheckRoot(dir, customer.Root, customer.Manager.Tool.Name)...)
		}
	}
	return problems
}

// detect decides what the working directory is when no flag says so.
func (a *App) detect(o *validateOptions) error {
	if o.managerDir == "" && o.customerDir == "" {
		switch {
		case exists(filepath.Join(a.Dir, config.ManagerFile)):
			o.managerDir = a.Dir
		case exists(filepath.Join(a.Dir, cmp.Or(o.path, config.DefaultPath))):
			o.customerDir = a.Dir
		default:
			return &pipeline.UsageError{Message: fmt.Sprintf("%s is neither a manager checkout (no %s) nor a customer's (no %s/)", a.Dir, config.ManagerFile, cmp.Or(o.path, config.DefaultPath)), Next: "go to one, or name it with --manager-dir or --customer-dir"}
		}
	}
	if o.managerDir != "" {
		o.managerDir = a.absolute(o.managerDir)
	}
	if o.customerDir != "" {
		o.customerDir = a.absolute(o.customerDir)
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func (s *step) validateVariables(o validateOptions, c pipeline.Customer, rules schemas) pipeline.Problems {
	var schema *variables.Schema
	if o.managerDir != "" {
		var problems pipeline.Problems
		if schema, problems = rules.of(c.Manager.Schema); problems != nil {
			return problems
		}
	}
	file := filepath.ToSlash(filepath.Join(c.Path, pipeline.VariablesFile))
	_, raw, problems := variables.LoadFile(o.customerDir, file, c.Manager.Limits, schema)
	if o.managerDir == "" || raw == nil {
		return problems
	}
	if outline := variables.Outline(file, raw, c.Manager.Limits); outline != nil {
		problems = append(problems, pipeline.CheckEnvironments(c, outline)...)
	}
	return problems
}

// suggestCustomer tells of a file that is missing at the default path and stands
// where registered customers have theirs.
func suggestCustomer(problems pipeline.Problems, dir string, registered []pipeline.Customer) {
	for i, p := range problems {
		if p.Rule != variables.RuleMissingFile {
			continue
		}
		var remedies []string
		for _, c := range registered {
			file := filepath.ToSlash(filepath.Join(c.Path, pipeline.VariablesFile))
			if file != p.File && len(remedies) < 5 && exists(filepath.Join(dir, filepath.FromSlash(file))) {
				remedies = append(remedies, fmt.Sprintf("--customer %s (%s)", c.Name, file))
			}
		}
		if len(remedies) > 0 {
			problems[i].Remedy = "say whose file is meant: " + strings.Join(remedies, ", ")
		}
	}
}

func (s *step) showProblems(o validateOptions, problems pipeline.Problems) error {
	if err := report.Problems(s.app.Out, problems); err != nil {
		return err
	}
	if err := s.runner.Annotate(problems); err != nil {
		return err
	}
	if problems.Err() != nil {
		return findingsError{count: len(problems)}
	}
	what := o.managerDir
	if o.customerDir != "" {
		what = o.customerDir
	}
	_, err := fmt.Fprintf(s.app.Out, "%s: no problems\n", what)
	return errors.Join(err)
}
