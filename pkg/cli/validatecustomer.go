package cli

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/gitrepo"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/intake"
	"github.com/metapipe/metapipe/pkg/variables"
	"github.com/metapipe/metapipe/pkg/workflow"
)

// customer checks the customer's checkout, where there is one.
func (v *validation) customer(ctx context.Context) error {
	if v.o.managerDir == "" {
		v.config = config.Config{Manager: config.Default()}
	}
	if v.o.customerDir == "" {
		if v.o.customer != "" {
			c, err := v.config.Named(v.o.customer)
			v.result.Customer = c.Name
			return err
		}
		return nil
	}
	c, err := v.findCustomer(ctx)
	if err != nil {
		return err
	}
	if v.config.Unread.Manager { // what it allows is unknown
		c.Manager.CustomerVariables, c.Manager.Limits.VariablesBytes = []string{variables.AnyVariable}, config.MaxVariables
	}
	v.result.CustomerDir, v.result.Customer = v.o.customerDir, c.Name
	schema, problems := v.schema(c)
	if problems != nil {
		if v.o.managerDir == "" { // the manager's was reported with its checkout
			v.add(problems...)
		}
		if problems.Err() != nil {
			return nil
		}
	}
	v.variables(c, schema)
	v.triggers(os.DirFS(v.o.customerDir))
	v.defaultBranch(ctx, c)
	return nil
}

// findCustomer is the customer that the checkout is checked as.
func (v *validation) findCustomer(ctx context.Context) (pipeline.Customer, error) {
	if v.o.managerDir != "" {
		match, err := v.match(ctx, v.config, config.Checkout{Dir: v.o.customerDir, Name: v.o.customer, Path: v.o.path})
		if err != nil || match.Found {
			return match.Customer, err
		}
	}
	return pipeline.Customer{Path: cmp.Or(v.o.path, config.DefaultPath), Manager: v.config.Manager}, nil
}

// schema is the one of --schema, else the manager's; nil where there is none.
func (v *validation) schema(c pipeline.Customer) (*variables.Schema, pipeline.Problems) {
	if v.o.schema == "" {
		if v.o.managerDir == "" {
			return nil, nil
		}
		return newRules(v.o.managerDir).schema(c.Manager.Schema)
	}
	file := v.app.absolute(v.o.schema)
	schema, problems := newRules(filepath.Dir(file)).schema(filepath.Base(file))
	if raw, err := os.ReadFile(file); err == nil && problems == nil {
		v.add(variables.CheckSchema(filepath.Base(file), raw)...)
	}
	return schema, problems
}

func (v *validation) variables(c pipeline.Customer, schema *variables.Schema) {
	file := path.Join(c.Path, pipeline.VariablesFile)
	raw, problems := variables.ReadFile(v.o.customerDir, file, c.Manager.Limits, schema, c.Allowed())
	switch {
	case raw == nil:
	case v.o.managerDir == "":
		_, problems = variables.Parse(file, raw, c.Manager.Limits, schema)
	default:
		if c.Root == "" { // not registered
			c.Root = config.Unregistered(c.Manager, v.o.managerDir, "customer").Root
		}
		_, problems = newRules(v.o.managerDir).parse(c, file, raw)
	}
	if c.File == "" {
		suggestCustomer(problems, v.o.customerDir, v.config.Customers)
	}
	v.add(problems...)
	rules := "the built-in rules"
	switch {
	case schema != nil && v.o.schema != "":
		rules += ", " + v.o.schema
	case schema != nil:
		rules += ", " + c.Manager.Schema
	case v.o.managerDir == "":
		v.lacks(forRehearsal, "the manager's rules: only the built-in ones were applied", "name the manager checkout with --manager-dir, or its schema of variables.yml with --schema FILE")
	}
	switch {
	case v.config.Unread.Manager:
		rules += "; not the rules of " + config.ManagerFile + ", which has errors"
	case v.o.managerDir != "" && raw != nil:
		rules += ", the environments of " + cmp.Or(string(c.Name), config.ManagerFile)
		if outline := variables.Outline(file, raw, c.Manager.Limits); outline != nil {
			v.add(otherThanLevels(problems, intake.CheckEnvironments(c, outline))...)
		}
	}
	if c.Offboarded {
		rules += fmt.Sprintf("; customer %s is offboarded (%s): its requests are rejected, and its environments can only be destroyed", c.Name, c.File)
	}
	v.checked("%s: %s", file, rules)
	v.onlyPlan = raw != nil
}

// otherThanLevels drops what is said about an environment that is none: a key at a wrong
// level of indentation.
func otherThanLevels(found, more pipeline.Problems) pipeline.Problems {
	return slices.DeleteFunc(more, func(p pipeline.Problem) bool {
		return slices.ContainsFunc(found, func(q pipeline.Problem) bool { return q.Rule == variables.RuleIndentation && q.Position == p.Position })
	})
}

// readByManager reports whether the manager reads the output: validate runs in the
// manager's checkout. A customer can do nothing about metapipe.yml.
func (v *validation) readByManager() bool {
	if v.o.managerDir == "" {
		return false
	}
	here, err := os.Stat(v.app.absolute("."))
	if err != nil {
		return false
	}
	manager, err := os.Stat(v.o.managerDir)
	return err == nil && os.SameFile(here, manager)
}

// triggers checks the workflow that sends the customer's requests.
func (v *validation) triggers(checkout fs.FS) {
	problems, found := workflow.CheckTrigger(checkout)
	v.add(problems...)
	if !found {
		v.lacks(forGitHub, "a workflow that runs `metapipe trigger`: without it no request reaches the manager",
			"copy workflows/customer/trigger-infra.yml of metapipe, or the one that your service provider hands out, to "+intake.TriggerWorkflow)
		return
	}
	if file, found := workflow.Find(checkout, "trigger"); found {
		v.add(workflowSyntax(checkout, file)...)
	}
}

// defaultBranch warns of a repository from which nothing can ever be applied. The
// rules of the manager say so, wherever validate runs.
func (v *validation) defaultBranch(ctx context.Context, c pipeline.Customer) {
	if v.o.managerDir == "" || v.config.Unread.Manager || len(c.Manager.Environments) == 0 {
		return
	}
	repository, ok := gitrepo.Open(ctx, v.o.customerDir, v.app.Environ)
	if !ok {
		return
	}
	branch, ok := repository.DefaultBranch(ctx)
	if !ok {
		return
	}
	var allowed []string
	for _, rule := range c.Manager.Environments {
		if rule.Admits(branch, branch) {
			v.checked("the default branch %s", branch)
			return
		}
		allowed = append(allowed, fmt.Sprintf("%s: %s", rule.Name, strings.Join(rule.Branches, ", ")))
	}
	remedy := fmt.Sprintf("add %q to branches in %s, or rename the branch", branch, config.ManagerFile)
	if !v.readByManager() {
		remedy = "deploy from a branch that is allowed, or ask your service provider to allow this one"
	}
	v.add(pipeline.Problem{Position: pipeline.Position{File: config.ManagerFile}, Rule: "default-branch", Warning: true,
		Message: fmt.Sprintf("%q is the default branch of the customer's repository, and no environment allows it (%s): nothing is ever applied", branch, strings.Join(allowed, "; ")),
		Remedy:  remedy})
}

// suggestCustomer reports a file that is missing at the default path and stands
// where registered customers have theirs.
func suggestCustomer(problems pipeline.Problems, dir string, registered []pipeline.Customer) {
	for i, p := range problems {
		if p.Rule != variables.RuleMissingFile {
			continue
		}
		var remedies []string
		for _, c := range registered {
			file := path.Join(c.Path, pipeline.VariablesFile)
			if file != p.File && len(remedies) < 5 && exists(filepath.Join(dir, filepath.FromSlash(file))) {
				remedies = append(remedies, fmt.Sprintf("--customer %s (%s)", c.Name, file))
			}
		}
		if len(remedies) > 0 {
			slices.Sort(remedies)
			problems[i].Remedy = "name the customer: " + strings.Join(remedies, ", ")
		}
	}
}
