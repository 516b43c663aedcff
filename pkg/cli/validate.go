package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/variables"
)

type validateOptions struct {
	managerDir, customerDir, customer, schema string
	path                                      string // of pathFlag
	pathFlag                                  pathFlag
	writeWorkflows, json                      bool
}

func newValidateCmd(app *App) *cobra.Command {
	var o validateOptions
	cmd := &cobra.Command{
		Use:   "validate",
		Short: "Show every problem of a manager or customer checkout at once",
		Long: `validate checks the checkout that it runs in. Of a manager: metapipe.yml, customers/,
the schema, the syntax of the root modules, the workflows, and links: a plan refuses
those that are absolute or lead out of the checkout. Of a customer:
variables.yml, the workflow and the default branch. Each problem is printed as
file:line:column, rule, and what to do; in Actions also as an annotation. At the end
it says what it checked and what is missing for a first rehearsal.

A customer's file is checked under the rules of a manager with --manager-dir or in a
manager checkout, or under a schema alone with --schema. Without any of them only the
built-in rules apply. Terraform is not run: what a validation block or the code says
about the values, only a plan finds. No store is opened: state list compares the names
of the customers in it with customers/.
Warnings of the manager are left out then; validate --manager-dir alone shows them.

The chain of jobs in .github/workflows/infra-deploy.yml must lead through the
environments of metapipe.yml in their order. --write-workflows writes it so first, and
writes the workflows that the manager lacks.

Exit code 6 means that there are errors. Warnings alone end with 0.`,
		Example: `  metapipe validate
  metapipe validate --customer-dir ../shop-platform --manager-dir .
  metapipe validate --json`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return app.validate(cmd.Context(), o) },
	}
	cmd.Flags().StringVar(&o.managerDir, "manager-dir", "", "`DIR` of a manager checkout (default: the working directory, if it is one)")
	cmd.Flags().StringVar(&o.customerDir, "customer-dir", "", "`DIR` of a customer checkout")
	cmd.Flags().Var(&o.pathFlag, "path", "`DIR` of variables.yml in the customer checkout (default: the customer's, else infra)")
	cmd.Flags().StringVar(&o.customer, "customer", "", "check the file as that of this registered customer `NAME`")
	cmd.Flags().StringVar(&o.schema, "schema", "", "JSON Schema `FILE` of variables.yml, where there is no manager checkout")
	cmd.Flags().BoolVar(&o.writeWorkflows, "write-workflows", false, "write the manager's workflows for the environments of metapipe.yml first")
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
	return cmd
}

func (a *App) validate(ctx context.Context, o validateOptions) (err error) {
	if o.path, err = o.pathFlag.read(); err != nil {
		return err
	}
	s, err := a.newStep()
	if err != nil {
		return err
	}
	if err := a.detect(&o); err != nil {
		return err
	}
	v := &validation{step: s, o: o, result: validateResult{Problems: pipeline.Problems{}, Checked: []string{}, Missing: []missing{}}}
	if o.managerDir != "" {
		v.result.ManagerDir = o.managerDir
		if err := v.manager(ctx); err != nil {
			return err
		}
		v.forCustomer()
	}
	if err := v.customer(ctx); err != nil {
		if !v.config.Unread.Manager && len(v.config.Unread.Customers) == 0 {
			return err
		}
		return errors.Join(v.show(), err) // the problems are why
	}
	return v.end()
}

// inCustomer reports whether the working directory is a customer's checkout: one that
// names its manager or a schema wants its own file checked. A manager may be called infra.
func (a *App) inCustomer(o validateOptions) bool {
	folder := filepath.Join(a.Dir, cmp.Or(o.path, config.DefaultPath))
	if isManager(a.Dir) || !exists(folder) {
		return false
	}
	inside, err := filepath.Rel(folder, a.absolute(o.managerDir))
	return o.managerDir == "" || err == nil && !filepath.IsLocal(inside)
}

// detect decides what the working directory is when no flag says so.
func (a *App) detect(o *validateOptions) error {
	if o.schema != "" {
		file, err := a.namedFile("--schema", o.schema, "name a JSON Schema of variables.yml")
		if err != nil {
			return err
		}
		o.schema = file
	}
	if o.managerDir == "" && o.customerDir == "" {
		folder := cmp.Or(o.path, config.DefaultPath)
		switch {
		case isManager(a.Dir):
			o.managerDir = a.Dir
		case exists(filepath.Join(a.Dir, folder)):
			o.customerDir = a.Dir
		default:
			return pipeline.Usagef("%s is neither a manager checkout (no %s) nor a customer's (no %s/)", a.Dir, config.ManagerFile, folder).
				Nextf("go to one, or name it with --manager-dir or --customer-dir")
		}
	}
	if o.customerDir == "" && (o.managerDir != "" || o.schema != "") && !o.writeWorkflows && a.inCustomer(*o) {
		o.customerDir = a.Dir
		a.logf("with the customer checkout %s, the working directory", a.Dir)
	}
	if o.managerDir == "" && o.schema == "" && o.customerDir != "" && isManager(a.Dir) {
		o.managerDir = a.Dir
		a.logf("under the rules of the manager checkout %s, the working directory", a.Dir)
	}
	if o.managerDir != "" {
		dir, err := a.managerDir(o.managerDir)
		if err != nil {
			return err
		}
		o.managerDir = dir
	}
	if o.customerDir != "" {
		if err := a.checkoutDir("--customer-dir", o.customerDir); err != nil {
			return err
		}
		o.customerDir = a.absolute(o.customerDir)
		if o.path != "" {
			if err := variables.CheckDirectory(o.customerDir, o.path); err != nil {
				return err
			}
		}
	}
	switch {
	case o.path != "" && o.customerDir == "":
		return pipeline.Usagef("--path without a customer checkout").Nextf("name one with --customer-dir")
	case o.writeWorkflows && o.managerDir == "":
		return pipeline.Usagef("--write-workflows without a manager checkout").Nextf("name one with --manager-dir")
	case o.schema != "" && o.managerDir != "":
		return pipeline.Usagef("--schema cannot be used with the manager checkout %s, which has a schema of its own in %s",
			o.managerDir, config.ManagerFile).
			Nextf("leave out --schema to check under the manager's rules; for --schema alone, run this in the customer checkout without " +
				"--manager-dir, or name it with --customer-dir")
	case o.schema != "" && o.customerDir == "":
		return pipeline.Usagef("--schema without a customer checkout").Nextf("name one with --customer-dir")
	case o.customer != "" && o.managerDir == "":
		return pipeline.Usagef("--customer without a manager checkout, which registers the customers").Nextf("name one with --manager-dir")
	}
	return nil
}

// validation collects what validate finds.
type validation struct {
	*step
	o       validateOptions
	config  config.Config // of the manager; the default one without it
	result  validateResult
	written []string // files, by --write-workflows
	// onlyPlan says that a file of variables was checked, without Terraform.
	onlyPlan bool
	// writeErr is of the lines that were printed.
	writeErr error
}

// validateResult is what --json prints.
type validateResult struct {
	ManagerDir  string                `json:"manager_dir,omitempty"`  // absolute
	CustomerDir string                `json:"customer_dir,omitempty"` // absolute
	Customer    pipeline.CustomerName `json:"customer,omitempty"`     // whose rules hold
	Problems    pipeline.Problems     `json:"problems"`
	Checked     []string              `json:"checked"`
	Missing     []missing             `json:"missing"`
	OK          bool                  `json:"ok"` // no problem is an error
}

// missing is what someone still has to write. It is no mistake.
type missing struct {
	For  string `json:"for"` // "a first rehearsal", or "GitHub"
	What string `json:"what"`
	Next string `json:"next"`
}

const (
	forRehearsal = "a first rehearsal"
	forGitHub    = "GitHub"
)

func (v *validation) add(problems ...pipeline.Problem) {
	v.result.Problems = append(v.result.Problems, problems...)
}

// forCustomer drops the manager's warnings where a customer's checkout is checked: its
// owner can do nothing about them. Errors stay, since they may make the rules wrong.
func (v *validation) forCustomer() {
	if v.o.customerDir != "" {
		v.result.Problems = slices.DeleteFunc(v.result.Problems, func(p pipeline.Problem) bool { return p.Warning })
	}
}

func (v *validation) checked(format string, args ...any) {
	v.result.Checked = append(v.result.Checked, fmt.Sprintf(format, args...))
}

func (v *validation) lacks(whom, what, next string) {
	v.result.Missing = append(v.result.Missing, missing{For: whom, What: what, Next: next})
}

// broken reports whether metapipe.yml itself has errors: then nothing that follows
// from it can be checked. Errors of customers do not matter.
func broken(problems pipeline.Problems) bool {
	return slices.ContainsFunc(problems, func(p pipeline.Problem) bool { return p.File == config.ManagerFile && !p.Warning })
}
