package config

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/strictyaml"
	"github.com/metapipe/metapipe/pkg/text"
)

// overlay is a customer's file before it is laid over the manager's rules.
type overlay struct {
	customer        pipeline.Customer
	gated           []pipeline.Environment
	requireReviewed []pipeline.Environment
	otherApprover   []pipeline.Environment
	exactness       pipeline.Exactness // empty: that of each environment
	trust           pipeline.Trust
	role            pipeline.Role // empty: the manager's
	redaction       pipeline.Redaction
	limits          pipeline.Limits
	drift           pipeline.DriftRules
}

// customer reads the file of one customer.
func (d *decoder) customer(n *strictyaml.Node, name pipeline.CustomerName, m pipeline.Manager) pipeline.Customer {
	o := overlay{
		customer: pipeline.Customer{Name: name, Path: DefaultPath, Root: DefaultRoot, File: d.file},
		trust:    m.Trust, redaction: m.Redaction,
		limits: m.Limits,
		drift:  m.Drift,
	}
	d.read(top(n), d.customerFields(&o, m))
	at, _ := n.Locate()
	for _, key := range []string{"repository", "repository_id"} {
		if n.Get(key) == nil {
			d.add(at, RuleMissingKey, fmt.Sprintf("the file lacks the key %q", key), "add it; a customer's file is at least "+CustomerExample)
		}
	}
	c := o.lay(m)
	if !d.blind {
		d.checkStricter(n, o, m)
		d.checkRunners(n, c)
	}
	d.checkOwn(n, o)
	d.checkRole(n, c, o.role != "")
	return c
}

func (d *decoder) customerFields(o *overlay, m pipeline.Manager) fields {
	c := &o.customer
	return fields{
		"repository":    func(v value) { d.slug(v, &c.Repository) },
		"repository_id": func(v value) { d.repositoryID(v, &c.RepositoryID) },
		"path":          func(v value) { d.customerPath(v, &c.Path) },
		"root": func(v value) {
			if p, ok := d.path(v); ok {
				c.Root = p
			}
			if d.stacked {
				d.add(v.at, RuleValue, fmt.Sprintf("root is set, and %s names stacks, each with a root of its own", ManagerFile), "remove it; root belongs to a stack in "+ManagerFile)
			}
		},
		"stacks":              func(v value) { c.Stacks = d.customerStacks(v, m) },
		"runner":              func(v value) { d.customerRunner(v, m, &c.Runners) },
		"offboarded":          func(v value) { c.Offboarded = d.boolean(v) },
		"environments":        func(v value) { c.Environments = d.declared(v, m) },
		"gated":               func(v value) { o.gated = d.declared(v, m) },
		"require_reviewed":    func(v value) { o.requireReviewed = d.declared(v, m) },
		"prevent_self_review": func(v value) { o.otherApprover = d.declared(v, m) },
		"exactness":           func(v value) { d.exactness(v, &o.exactness) },
		"trust":               func(v value) { d.trust(v, &o.trust) },
		"role":                func(v value) { d.role(v, &o.role) },
		"redaction":           func(v value) { d.redaction(v, &o.redaction) },
		"limits":              func(v value) { d.read(v, d.limitFields(&o.limits)) },
		"drift":               func(v value) { d.customerDrift(v, &o.drift) },
	}
}

func (d *decoder) slug(v value, to *pipeline.Slug) {
	s, ok := d.text(v)
	if !ok {
		return
	}
	slug, err := pipeline.ParseSlug(s)
	if err != nil {
		d.add(v.at, RuleValue, fmt.Sprintf("%s is %q", v.name, strictyaml.Short(s)), "write it as owner/name, without https:// or .git")
		return
	}
	*to = slug
}

func (d *decoder) repositoryID(v value, to *int64) {
	n, ok := d.number(v)
	if !ok {
		return
	}
	if n <= 0 {
		d.add(v.at, RuleValue, v.name+" must be positive", "look it up: gh api repos/OWNER/NAME --jq .id")
		return
	}
	*to = n
}

func (d *decoder) customerPath(v value, to *string) {
	s, ok := d.text(v)
	if !ok {
		return
	}
	p, err := pipeline.ParseCustomerPath(s)
	var bad *pipeline.PathError
	if errors.As(err, &bad) {
		d.add(v.at, RulePath, v.name+" "+bad.Describe(strictyaml.Short(s)), bad.Remedy())
		return
	}
	*to = p
}

// declared reads a list of environments of metapipe.yml, and returns them in
// promotion order.
func (d *decoder) declared(v value, m pipeline.Manager) []pipeline.Environment {
	known := make([]string, len(m.Environments))
	for i, e := range m.Environments {
		known[i] = string(e.Name)
	}
	named := d.namedAmong(v, known, RuleUnknownEnvironment)
	envs := []pipeline.Environment{} // not nil: nil would mean all
	for _, e := range m.Environments {
		if named[string(e.Name)] {
			envs = append(envs, e.Name)
		}
	}
	return envs
}

// namedAmong reads a list of names that metapipe.yml declares, each once. rule is that of
// the problem of another one.
func (d *decoder) namedAmong(v value, known []string, rule string) map[string]bool {
	named := make(map[string]bool)
	d.list(v, func(item value) {
		s, ok := d.text(item)
		switch {
		case !ok:
		case named[s]:
			d.add(item.at, RuleDuplicate, fmt.Sprintf("%s names %q a second time", v.name, s), "keep one of the two")
		case len(known) == 0, d.blind && !slices.Contains(known, s):
			// what metapipe.yml lacks is reported there
		case !slices.Contains(known, s):
			remedy := "declared are: " + strings.Join(known, ", ")
			if like := pipeline.Nearest(s, known); like != "" {
				remedy = fmt.Sprintf("did you mean %q?", like)
			}
			d.add(item.at, rule, fmt.Sprintf("%s is %q, which %s does not declare", item.name, strictyaml.Short(s), ManagerFile), remedy)
		default:
			named[s] = true
		}
	})
	return named
}

var trustRank = map[pipeline.Trust]int{pipeline.TrustOff: 0, pipeline.TrustPreferred: 1, pipeline.TrustRequired: 2}

// checkStricter refuses what a customer's file would loosen. gated and
// require_reviewed can only add by their form.
func (d *decoder) checkStricter(n *strictyaml.Node, o overlay, m pipeline.Manager) {
	if trustRank[o.trust] < trustRank[m.Trust] {
		at, _ := n.Locate("trust")
		d.add(at, RuleLooser, fmt.Sprintf("trust is %q, looser than the manager's %q", o.trust, m.Trust), "remove it, or make it stricter: a customer's file can only narrow")
	}
	d.checkExactness(n, o, m)
	if o.redaction.LooserThan(m.Redaction) {
		at, _ := n.Locate("redaction")
		d.add(at, RuleLooser, fmt.Sprintf("redaction is %q, looser than the manager's %q", o.redaction, m.Redaction), "remove it: a customer's file can only hide more")
	}
	larger := func(key string, mine, managers time.Duration) {
		if mine > managers {
			at, _ := n.Locate("limits", key)
			d.add(at, RuleLooser, fmt.Sprintf("limits.%s is %s, above the manager's %s", key, plainDuration(mine), plainDuration(managers)), "lower it, or remove it: a customer's file can only narrow")
		}
	}
	larger("plan_ttl", o.limits.PlanTTL, m.Limits.PlanTTL)
	larger("plan_timeout", o.limits.PlanTimeout, m.Limits.PlanTimeout)
	larger("apply_timeout", o.limits.ApplyTimeout, m.Limits.ApplyTimeout)
	larger("lock_timeout", o.limits.LockTimeout, m.Limits.LockTimeout)
	if o.limits.VariablesBytes > m.Limits.VariablesBytes {
		at, _ := n.Locate("limits", "variables_size")
		d.add(at, RuleLooser, fmt.Sprintf("limits.variables_size is %s, above the manager's %s", strictyaml.Size(o.limits.VariablesBytes), strictyaml.Size(m.Limits.VariablesBytes)),
			"lower it, or remove it: a customer's file can only narrow")
	}
}

// checkExactness refuses a level below that of an environment that the customer may use.
func (d *decoder) checkExactness(n *strictyaml.Node, o overlay, m pipeline.Manager) {
	for _, e := range m.Environments {
		mine := len(o.customer.Environments) == 0 || slices.Contains(o.customer.Environments, e.Name)
		if o.exactness == "" || !mine || o.exactness.Meets(e.Exactness) {
			continue
		}
		at, _ := n.Locate("exactness")
		d.add(at, RuleLooser, fmt.Sprintf("exactness is %q, looser than the manager's %q for %s", o.exactness, e.Exactness, e.Name),
			"remove it, or make it stricter: a customer's file can only narrow")
		return
	}
}

// checkOwn refuses rules for environments that the customer cannot use.
func (d *decoder) checkOwn(n *strictyaml.Node, o overlay) {
	if len(o.customer.Environments) == 0 {
		return // all, or a list that is wrong itself
	}
	for _, own := range []struct {
		key  string
		envs []pipeline.Environment
	}{{"gated", o.gated}, {"require_reviewed", o.requireReviewed}, {"prevent_self_review", o.otherApprover}} {
		for _, env := range own.envs {
			if !slices.Contains(o.customer.Environments, env) {
				at, _ := n.Locate(own.key)
				d.add(at, RuleUnknownEnvironment, fmt.Sprintf("%s names %q, which this customer may not use", own.key, env), "remove it, or add it to environments")
			}
		}
	}
}

// lay puts the customer's values over the manager's, the stricter of each.
func (o overlay) lay(m pipeline.Manager) pipeline.Customer {
	m.Environments = slices.Clone(m.Environments)
	for i := range m.Environments {
		e := &m.Environments[i]
		e.PreventSelfReview = e.PreventSelfReview || slices.Contains(o.otherApprover, e.Name)
		e.Gated = e.Gated || e.PreventSelfReview || slices.Contains(o.gated, e.Name)
		e.RequireReviewed = e.RequireReviewed || slices.Contains(o.requireReviewed, e.Name)
		if o.exactness != "" && !e.Exactness.Meets(o.exactness) {
			e.Exactness = o.exactness
		}
	}
	if trustRank[o.trust] > trustRank[m.Trust] {
		m.Trust = o.trust
	}
	if m.Redaction.LooserThan(o.redaction) {
		m.Redaction = o.redaction
	}
	m.Limits = pipeline.Limits{
		VariablesBytes: min(o.limits.VariablesBytes, m.Limits.VariablesBytes),
		PlanTTL:        min(o.limits.PlanTTL, m.Limits.PlanTTL),
		PlanTimeout:    min(o.limits.PlanTimeout, m.Limits.PlanTimeout),
		ApplyTimeout:   min(o.limits.ApplyTimeout, m.Limits.ApplyTimeout),
		LockTimeout:    min(o.limits.LockTimeout, m.Limits.LockTimeout),
	}
	m.Drift = o.drift
	if o.role != "" {
		m.Role = o.role
	}
	c := o.customer
	c.Manager = m
	return c
}

// checkRoot demands that the root module that a file names at a place exists and holds code
// for the tool.
func (l *loader) checkRoot(at pipeline.Position, root string, tool pipeline.ToolRule) {
	entries, err := l.readDir(root)
	if err != nil {
		message, next := fmt.Sprintf("the root module %s cannot be read: %v", root, text.FileError(err)), "make it a directory inside the manager directory, or correct root"
		if errors.Is(err, fs.ErrNotExist) {
			message, next = fmt.Sprintf("the root module %s does not exist", root), "create the directory, or correct root; it is relative to the manager directory"
		}
		l.add(at, RuleMissingPath, message, next)
		return
	}
	if tool.Name == ansibleTool {
		if !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return !e.IsDir() && e.Name() == playbookFile }) {
			l.add(at, RuleNoModule, fmt.Sprintf("the root %s holds no %s", root, playbookFile), "write the playbook of the stack there, or point root at its directory")
		}
		return
	}
	if isKubernetes(tool.Name) {
		if !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.IsDir() && e.Name() == manifestsDir }) {
			l.add(at, RuleNoModule, fmt.Sprintf("the root %s holds no directory %s", root, manifestsDir), "write the manifests of the stack there, or point root at the directory that holds it")
		}
		return
	}
	if tool.Name == pulumiTool {
		if !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return !e.IsDir() && e.Name() == projectFile }) {
			l.add(at, RuleNoModule, fmt.Sprintf("the root %s holds no %s", root, projectFile), "write the project of the stack there, or point root at its directory")
		}
		return
	}
	if tool.Name == pipeline.CloudFormationTool {
		if !holdsTemplate(entries) {
			l.add(at, RuleNoModule, fmt.Sprintf("the root %s holds no %s", root, templateFiles[0]), "write the template of the stack there, or point root at its directory")
		}
		return
	}
	suffixes := []string{".tf", ".tf.json"}
	if tool.Name == "tofu" {
		suffixes = append(suffixes, ".tofu", ".tofu.json")
	}
	read := suffixes
	if faulty(l.problems) { // the tool is not known for sure
		read = codeSuffixes
	}
	for _, e := range entries {
		for _, s := range read {
			if !e.IsDir() && strings.HasSuffix(e.Name(), s) {
				return
			}
		}
	}
	l.add(at, RuleNoModule, fmt.Sprintf("the root module %s holds no %s file", root, strings.Join(suffixes, " or ")), "point root at a directory with code for "+tool.Name)
}

// readDir reads each directory once.
func (l *loader) readDir(dir string) ([]fs.DirEntry, error) {
	read, known := l.dirs[dir]
	if !known {
		read.entries, read.err = l.list(dir)
		if l.dirs == nil {
			l.dirs = map[string]listing{}
		}
		l.dirs[dir] = read
	}
	return read.entries, read.err
}

func (l *loader) list(dir string) ([]fs.DirEntry, error) {
	info, err := l.root.Stat(filepath.FromSlash(dir))
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, errNotDirectory
	}
	return fs.ReadDir(l.root.FS(), dir)
}

func customerFile(name string) string { return path.Join(CustomersDir, filepath.ToSlash(name)) }
