package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/compliance"
	"github.com/metapipe/metapipe/pkg/pipeline/sourcesync"
	"github.com/metapipe/metapipe/pkg/variables"
)

// manager checks the manager's checkout.
func (v *validation) manager(ctx context.Context) error {
	loaded, found := config.Load(v.o.managerDir)
	v.config = loaded
	v.add(found...)
	if loaded.Unread.Manager {
		v.checked("%s", config.ManagerFile)
	} else {
		counts := count(len(loaded.Manager.Environments), "environment")
		if n := len(loaded.Manager.Stacks); n > 0 {
			counts += ", " + count(n, "stack")
		}
		v.checked("%s: %s", config.ManagerFile, counts)
	}
	switch {
	case loaded.Manager.Schema != "":
		v.checked("the schema %s", loaded.Manager.Schema)
	case loaded.Unread.Manager: // it may name one
	default:
		v.lacks(forRehearsal, "a schema of variables.yml: customers may write any key, and set each variable of a root module that has neither a default nor a "+
			"value in a tfvars file", "write a JSON Schema and name it with schema in "+config.ManagerFile)
	}
	ofSchema := func(p pipeline.Problem) bool { return p.File == loaded.Manager.Schema }
	if !broken(found) && !slices.ContainsFunc(found, ofSchema) {
		v.add(newRules(v.o.managerDir).openness(loaded.Manager)...)
	}
	v.customers()
	v.fleetFiles()
	roots := v.roots()
	if v.parse(roots) {
		v.opened(roots)
	}
	v.needs()
	if err := v.tree(ctx, roots); err != nil {
		return err
	}
	return v.workflows(found)
}

// ruleUnusedRegions is the rule of compliance.yml that compares regions which no property restricts.
const ruleUnusedRegions = "unused-regions"

// fleetFiles checks the rules and the sources of the fleet, where there are any.
func (v *validation) fleetFiles() {
	check := func(file string, load func() pipeline.Problems) {
		if _, err := os.Lstat(filepath.Join(v.o.managerDir, file)); !errors.Is(err, fs.ErrNotExist) {
			v.add(load()...)
			v.checked("%s", file)
		}
	}
	check(compliance.File, func() pipeline.Problems {
		rules, problems := config.LoadCompliance(v.o.managerDir, v.app.Now())
		if p := v.config.Manager.Properties; rules.Regions && !v.config.Unread.Manager && (p == nil || p.Names[pipeline.MeaningRegion] == "") {
			problems = append(problems, pipeline.Problem{Position: pipeline.Position{File: compliance.File}, Rule: ruleUnusedRegions, Warning: true,
				Message: "regions compares nothing: " + config.ManagerFile + " names no property that restricts the regions of a customer", Remedy: "add properties to " + config.ManagerFile + ", or remove regions"})
		}
		return problems
	})
	check(sourcesync.File, func() pipeline.Problems {
		_, problems := config.LoadSync(v.o.managerDir)
		return problems
	})
}

func (v *validation) customers() {
	n := len(v.config.Customers)
	if n > 0 {
		v.checked("%s in %s/", count(n, "customer"), config.CustomersDir)
		return
	}
	if len(v.config.Unread.Customers) > 0 {
		v.checked("%s/", config.CustomersDir)
		return
	}
	v.lacks(forRehearsal, "a customer in "+config.CustomersDir+"/ (a rehearsal makes one up)", "write "+config.CustomersDir+"/NAME.yml with "+config.CustomerExample)
}

// rootModule is a root module and the tool that reads it.
type rootModule struct{ dir, tool string }

// roots are the root modules of the customers' stacks, or those of a customer to come.
func (v *validation) roots() (roots []rootModule) {
	asked := map[string]bool{}
	add := func(c pipeline.Customer) {
		for _, stack := range c.StackNames() {
			dir, tool, err := c.Module(stack)
			if err != nil {
				continue
			}
			root := rootModule{dir, tool.Name}
			if !slices.Contains(roots, root) {
				roots = append(roots, root)
			}
			needs := c.Manager.NeedsOf(stack)
			if key := fmt.Sprint(root, needs); !asked[key] {
				asked[key] = true
				v.settable(root, needs)
			}
		}
	}
	for _, c := range v.config.Customers {
		add(c)
	}
	if len(roots) == 0 && len(v.config.Unread.Customers) == 0 {
		add(config.Unregistered(v.config.Manager, v.o.managerDir, "customer"))
	}
	return roots
}

// tree finds what keeps plans from copying the checkout, such as links that lead out of it.
func (v *validation) tree(ctx context.Context, roots []rootModule) error {
	var all pipeline.Problems
	for _, root := range roots {
		reader, err := rootReader(root.tool)
		if err != nil {
			continue // parse says so
		}
		found, err := reader.CheckTree(ctx, v.o.managerDir, root.dir, v.config.Manager.State.Directory)
		if err != nil {
			return err
		}
		all = append(all, slices.DeleteFunc(found, func(p pipeline.Problem) bool { return slices.Contains(all, p) })...)
	}
	v.add(all...)
	return nil
}

// parse parses the code of every root module. A missing root of a customer is an error
// that config.Load finds; without customers it is only missing. whole is false when the
// code of some root module is not known.
func (v *validation) parse(roots []rootModule) (whole bool) {
	whole = true
	for _, r := range roots {
		root, tool := r.dir, r.tool
		if !config.HoldsCodeOf(tool, v.o.managerDir+string(os.PathSeparator)+root) {
			if len(v.config.Customers) == 0 && len(v.config.Manager.Stacks) == 0 {
				v.lacks(forRehearsal, "Terraform code in "+root+"/", "write "+root+"/main.tf, or name another directory as root in "+config.CustomersDir+"/NAME.yml")
			}
			whole = false
			continue
		}
		reader, err := rootReader(tool)
		if err != nil {
			v.add(unreadRoot(root, err))
			whole = false
			continue
		}
		problems, parsed := reader.CheckRoot(v.o.managerDir, root, tool)
		whole = whole && parsed
		v.add(problems...)
		if stacks, ok := reader.(pipeline.StackReader); ok && parsed && !v.config.Unread.Manager {
			v.add(stacks.CheckStacks(v.o.managerDir, root, v.config.Manager)...)
		}
		v.checked("the syntax of the root module %s", root)
	}
	return whole
}

// ruleUnreadRoot is the rule of a root module that metapipe cannot read.
const ruleUnreadRoot = "unread-root"

// unreadRoot warns of a root module whose code is not checked, and says why.
func unreadRoot(root string, cause error) pipeline.Problem {
	return pipeline.Problem{Position: pipeline.Position{File: root}, Rule: ruleUnreadRoot, Warning: true,
		Message: fmt.Sprintf("the code of this root module is not checked: %v", cause), Remedy: "check it with its own tool"}
}

// ruleUnknownVariable is the rule of a name in customer_variables that opens nothing.
const ruleUnknownVariable = "unknown-variable"

// opened warns of names in customer_variables that no root module declares. It is silent
// where not every root module can be read, since that one may declare them.
func (v *validation) opened(roots []rootModule) {
	if v.config.Unread.Manager || len(v.config.Unread.Customers) > 0 {
		return
	}
	rules, declared, dirs := newRules(v.o.managerDir), []string{}, []string{}
	var own []func(string) bool
	for _, root := range roots {
		names := rules.variables(root.dir, root.tool)
		if names == nil {
			return
		}
		declared, dirs = slices.AppendSeq(declared, maps.Keys(names)), append(dirs, root.dir)
		if reader, err := rootReader(root.tool); err == nil {
			own = append(own, reader.OwnVariable)
		}
	}
	slices.Sort(declared)
	for i, name := range v.config.Manager.CustomerVariables {
		if name == variables.AnyVariable || slices.Contains(declared, name) || slices.ContainsFunc(own, func(is func(string) bool) bool { return is(name) }) {
			continue
		}
		remedy := "declare it, or remove the name"
		if like := pipeline.Nearest(name, declared); like != "" {
			remedy = fmt.Sprintf("did you mean %q?", like)
		}
		v.add(pipeline.Problem{Position: config.Locate(v.o.managerDir, "customer_variables", strconv.Itoa(i)), Rule: ruleUnknownVariable, Warning: true,
			Message: fmt.Sprintf("customer_variables names %q, and no root module declares that variable (%s)", name, strings.Join(dirs, ", ")), Remedy: remedy})
	}
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
