package provision

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Wanted is a stack that there has to be.
type Wanted struct {
	Target   pipeline.Target
	ID       string
	Stack    Stack
	Contents []Content
	// Files are the names of files in the root that belong to metapipe.
	Files []string
	// Waits says why the stack stays disabled; empty: it is enabled.
	Waits string
}

// owns reports whether the value of an id is set or taken away by metapipe.
func (w Wanted) owns(id string) bool {
	return strings.HasPrefix(id, variablePrefix) || strings.HasPrefix(id, sourceDir) && slices.Contains(w.Files, path.Base(id))
}

func (w Wanted) content(id string) (Content, bool) {
	i := slices.IndexFunc(w.Contents, func(c Content) bool { return c.ID == id })
	if i < 0 {
		return Content{}, false
	}
	return w.Contents[i], true
}

const (
	// variablePrefix is how Terraform finds variables in its environment.
	variablePrefix = "TF_VAR_"
	// sourceDir is where Spacelift checks the repository out, below /mnt/workspace. Files that are
	// mounted there take the place of those of the repository.
	sourceDir = "source/"
)

// GitHub is what is asked of GitHub about customers.
type GitHub interface {
	RepositoryProperties(ctx context.Context, repo pipeline.Slug) (pipeline.Repository, pipeline.Properties, error)
	File(ctx context.Context, repo pipeline.Slug, ref, name string) (pipeline.File, error)
}

// Given is what a root module gets for one target.
type Given struct {
	Files     map[string][]byte // by their names in the root
	Variables map[string]string // what the environment can hold without a loss, by the names of the variables
	Secret    map[string]bool   // variables that the root declares as sensitive
}

// Roots says what root modules get.
type Roots interface {
	// Given is that of a target. needed are the outputs of the stacks that it needs, by their names.
	Given(c pipeline.Customer, t pipeline.Target, config pipeline.EffectiveConfig, needed map[pipeline.StackName]map[string]string) (Given, error)
	// FileNames are all names that Given may use.
	FileNames() []string
}

// wishes are the stacks of one customer.
type wishes struct {
	*Planner
	customer pipeline.Customer
	narrowed *pipeline.RequestProperties
	name     string // that the property asks for; empty: none
	document pipeline.Document
	branch   string // of the customer, that document was read from
	present  map[string]Found
}

// customer says which stacks a customer has to have. An error is about that customer alone.
func (p *Planner) customer(ctx context.Context, c pipeline.Customer, present map[string]Found) ([]Wanted, error) {
	targets := c.RunBy(pipeline.RunnerSpacelift)
	if len(targets) == 0 || c.Offboarded {
		return nil, nil
	}
	repository, properties, err := p.GitHub.RepositoryProperties(ctx, c.Repository)
	if err != nil {
		return nil, err
	}
	if repository.ID != c.RepositoryID {
		return nil, fmt.Errorf("%s is another repository now: it has id %d, and %s names %d", c.Repository, repository.ID, c.File, c.RepositoryID)
	}
	w := wishes{Planner: p, customer: c, branch: repository.DefaultBranch, present: present}
	if rules := c.Manager.Properties; rules != nil {
		narrowed, problems := c.Narrow(properties, p.Overlap)
		if err := problems.Err(); err != nil {
			return nil, err
		}
		w.narrowed, w.customer = narrowed, c.Under(narrowed)
		if name := rules.Names[pipeline.MeaningStackName]; name != "" {
			w.name = properties.Get(name).Text
		}
	}
	if w.narrowed != nil && w.narrowed.NoTools {
		return nil, nil
	}
	if err := w.read(ctx); err != nil {
		return nil, err
	}
	var all []Wanted
	for _, t := range targets {
		if !w.narrowed.Enables(t.Stack) {
			continue
		}
		wanted, err := w.target(t)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", t, err)
		}
		all = append(all, wanted)
	}
	w.rename(all)
	return all, nil
}

// read reads the customer's values at the branch that deploys.
func (w *wishes) read(ctx context.Context) error {
	file, err := w.GitHub.File(ctx, w.customer.Repository, w.branch, path.Join(w.customer.Path, pipeline.VariablesFile))
	if err != nil {
		return err
	}
	document, problems := w.Parse(w.customer, file.Path, file.Content)
	if err := problems.Err(); err != nil {
		return err
	}
	w.document = document
	return nil
}

// target is the stack of one target.
func (w *wishes) target(t pipeline.Target) (Wanted, error) {
	m := w.customer.Manager
	rule, _ := m.Rule(t.Environment)
	root, tool, err := w.customer.Module(t.Stack)
	if err != nil {
		return Wanted{}, err
	}
	version, err := VersionRange(tool.Constraint)
	if err != nil {
		return Wanted{}, err
	}
	s := m.Spacelift
	approval := rule.NeedsApproval() || w.narrowed != nil && w.narrowed.Approval
	out := Wanted{Target: t, ID: t.SpaceliftID(), Files: w.Roots.FileNames(), Stack: Stack{
		Name: t.SpaceliftID(), Description: fmt.Sprintf("Runs %s. metapipe writes this stack, and takes back what is changed by hand.", t),
		Space: s.Space, Namespace: w.Manager.Owner, Repository: w.Manager.Name, Branch: s.Branch, Root: root, Integration: s.Integration, WorkerPool: s.WorkerPool,
		Labels: w.labels(t, tool.Name), Tool: tool.Name, Version: version, ManageState: s.ManageState,
		Autodeploy: !approval && rule.AutoDeploy == pipeline.AutoDeployAllowed && w.narrowed != nil && w.narrowed.AutoDeploy == "true",
		Policies:   slices.Clone(s.Policies), Contexts: kept(s.Contexts, func(string) bool { return true }), Needs: []string{}, Values: []Value{},
	}}
	if approval {
		if s.ApprovalPolicy == "" {
			return Wanted{}, fmt.Errorf("a property asks for an approval, and spacelift in metapipe.yml names no policy that does: add spacelift.approval_policy")
		}
		out.Stack.Policies = append(out.Stack.Policies, s.ApprovalPolicy)
	}
	out.Stack.Policies = kept(out.Stack.Policies, func(string) bool { return true })
	if s.Drift != nil {
		out.Stack.Drift = &Drift{Schedule: s.Drift.Schedule, Reconcile: s.Drift.Reconcile}
	}
	err = w.values(&out, root, rule)
	out.Stack.Enabled = out.Waits == ""
	return out, err
}

func (w *wishes) labels(t pipeline.Target, tool string) []string {
	labels := []string{OwnerLabel(w.Manager), managedBy + "infrastructure-manager", labelCustomer + w.customer.Repository.String(), labelTarget + string(t.Environment), labelTool + tool, labelStack + t.String()}
	slices.Sort(labels)
	return labels
}

// values fills in what the runs of a stack get of the customer and of other stacks.
func (w *wishes) values(out *Wanted, root string, rule pipeline.EnvironmentRule) error {
	if !rule.Admits(w.branch, w.branch) {
		out.Waits = fmt.Sprintf("branch %s, where the values of the customer were read, does not deploy to %s", w.branch, rule.Name)
	} else if !pipeline.Declares(w.document.Environments(), rule.Name) {
		out.Waits = fmt.Sprintf("%s of the customer does not list %s", pipeline.VariablesFile, rule.Name)
	}
	needed := map[pipeline.StackName]map[string]string{}
	for _, of := range w.customer.Needed(out.Target) {
		if w.customer.Runner(of.Stack) != pipeline.RunnerSpacelift {
			return fmt.Errorf("it needs the outputs of %s, which Actions runs: let one runner have both", of.Stack)
		}
		found, there := w.present[of.SpaceliftID()]
		out.Stack.Needs = append(out.Stack.Needs, of.SpaceliftID())
		if needed[of.Stack] = found.Outputs; out.Waits == "" && (!there || len(found.Outputs) == 0) {
			out.Waits = fmt.Sprintf("%s has no outputs yet that are not sensitive", of.SpaceliftID())
		}
	}
	slices.Sort(out.Stack.Needs)
	if out.Waits != "" {
		return nil
	}
	config, err := w.document.Effective(rule.Name)
	if err != nil {
		return err
	}
	given, err := w.Roots.Given(w.customer, out.Target, config, needed)
	if err != nil {
		return err
	}
	for name, text := range given.Files {
		out.Contents = append(out.Contents, Content{ID: sourceDir + path.Join(root, name), Kind: File, Secret: true, Text: string(text)})
	}
	for name, text := range given.Variables {
		out.Contents = append(out.Contents, Content{ID: variablePrefix + name, Kind: Variable, Secret: given.Secret[name], Text: text})
	}
	slices.SortFunc(out.Contents, func(a, b Content) int { return strings.Compare(a.ID, b.ID) })
	for _, c := range out.Contents {
		out.Stack.Values = append(out.Stack.Values, Value{ID: c.ID, Kind: c.Kind, Secret: c.Secret, Sum: w.Salt.Sum([]byte(c.Text))})
	}
	return nil
}

// maxName bounds the name of a stack that a property asks for.
const maxName = 60

// rename gives the stacks the name that the property asks for: as it is to the only one, and with the
// target behind it to several.
func (w *wishes) rename(all []Wanted) {
	if w.name == "" || len(w.name) > maxName || pipeline.PlainLine(w.name) != w.name {
		return
	}
	for i := range all {
		all[i].Stack.Name = w.name
		if len(all) > 1 {
			all[i].Stack.Name += strings.TrimPrefix(all[i].ID, idPrefix+string(w.customer.Name))
		}
	}
}
