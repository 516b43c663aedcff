package config

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/retry"
	"github.com/metapipe/metapipe/pkg/strictyaml"
	"github.com/metapipe/metapipe/pkg/text"
)

const (
	spaceliftExample = "spacelift: {endpoint: https://ACCOUNT.app.spacelift.io, space: SPACE-ID, branch: main}"
	// Bounds of the lists of spacelift.
	maxSpaceliftList = 20
)

var (
	// Ids of Spacelift are slugs or ULIDs, in paths of its addresses.
	spaceliftID = form{1, 120, text.Pattern(`^[A-Za-z0-9][A-Za-z0-9_-]*$`), "write the id as the address of its page in Spacelift ends, not its name"}
	cronForm    = form{9, 100, text.Pattern(`^[0-9*/,A-Za-z-]+( [0-9*/,A-Za-z-]+){4}$`), `write five fields of cron, in UTC, such as "0 4 * * *"`}
)

// spacelift reads what metapipe.yml says of Spacelift.
func (d *decoder) spacelift(v value, to **pipeline.SpaceliftRule) {
	if !d.is(v, strictyaml.Object) {
		return
	}
	rule := &pipeline.SpaceliftRule{}
	d.read(v, fields{
		"endpoint":    func(v value) { d.spaceliftEndpoint(v, &rule.Endpoint) },
		"space":       func(v value) { d.matched(v, &rule.Space, spaceliftID) },
		"branch":      func(v value) { d.oneBranch(v, &rule.Branch) },
		"integration": func(v value) { d.matched(v, &rule.Integration, spaceliftID) },
		"worker_pool": func(v value) { d.matched(v, &rule.WorkerPool, spaceliftID) },
		"key": func(v value) {
			if s, ok := d.choice(v, "secret", "oidc"); ok {
				rule.OIDC = s == "oidc"
			}
		},
		"approval_policy": func(v value) { d.matched(v, &rule.ApprovalPolicy, spaceliftID) },
		"policies":        func(v value) { d.spaceliftIDs(v, &rule.Policies) },
		"contexts":        func(v value) { d.spaceliftIDs(v, &rule.Contexts) },
		"drift":           func(v value) { d.spaceliftDrift(v, &rule.Drift) },
		"manage_state":    func(v value) { rule.ManageState = d.boolean(v) },
	})
	for _, key := range []string{"endpoint", "space", "branch"} {
		if v.Get(key) == nil {
			d.add(v.at, RuleMissingKey, fmt.Sprintf("%s lacks the key %q", v.name, key), "add it; at least: "+spaceliftExample)
		}
	}
	if rule.Drift != nil && rule.WorkerPool == "" {
		at, _ := v.Locate("drift")
		d.warn(at, RuleValue, "drift has a schedule, and public workers of Spacelift never look for drift", "name a private pool with worker_pool, or remove drift")
	}
	*to = rule
}

// spaceliftEndpoint reads the address of an account: secrets are sent there.
func (d *decoder) spaceliftEndpoint(v value, to *string) {
	s, ok := d.text(v)
	if !ok {
		return
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.String() != u.Scheme+"://"+strings.ToLower(u.Host) || u.Scheme != "https" && (u.Scheme != "http" || !retry.Near(u.Hostname())) {
		d.add(v.at, RuleValue, fmt.Sprintf("%s is %q, which is not the address of an account", v.name, strictyaml.Short(s)), "write https://ACCOUNT.app.spacelift.io, without /graphql")
		return
	}
	*to = s
}

// oneBranch reads the name of one branch.
func (d *decoder) oneBranch(v value, to *string) {
	var list []string
	if d.branch(v, &list); len(list) == 0 {
		return
	}
	if strings.ContainsAny(list[0], `*?[\`) {
		d.add(v.at, RuleValue, fmt.Sprintf("%s is %q, which is a pattern", v.name, strictyaml.Short(list[0])), "name one branch, such as main")
		return
	}
	*to = list[0]
}

func (d *decoder) spaceliftIDs(v value, to *[]string) {
	seen := map[string]bool{}
	d.list(v, func(item value) {
		var id string
		switch d.matched(item, &id, spaceliftID); {
		case id == "":
		case seen[id]:
			d.add(item.at, RuleDuplicate, fmt.Sprintf("%s names %q a second time", v.name, id), "keep one of the two")
		default:
			seen[id] = true
			*to = append(*to, id)
		}
	})
	if len(*to) > maxSpaceliftList {
		d.add(v.at, RuleValue, fmt.Sprintf("%s has %d ids; at most %d are possible", v.name, len(*to), maxSpaceliftList), "use autoattach labels in Spacelift for further ones")
	}
}

func (d *decoder) spaceliftDrift(v value, to **pipeline.SpaceliftDrift) {
	drift := &pipeline.SpaceliftDrift{}
	d.read(v, fields{
		"schedule": func(v value) {
			d.list(v, func(item value) {
				var cron string
				if d.matched(item, &cron, cronForm); cron != "" {
					drift.Schedule = append(drift.Schedule, cron)
				}
			})
		},
		"reconcile": func(v value) { drift.Reconcile = d.boolean(v) },
	})
	if v.Kind == strictyaml.Object && v.Get("schedule") == nil {
		d.add(v.at, RuleMissingKey, v.name+` lacks the key "schedule"`, `add schedule: ["0 4 * * *"], for example`)
	}
	*to = drift
}

func (d *decoder) runner(v value, to *pipeline.Runner) {
	if s, ok := d.choice(v, string(pipeline.RunnerActions), string(pipeline.RunnerSpacelift)); ok {
		*to = pipeline.Runner(s)
	}
}

// customerRunner reads who runs the customer's stacks: one word for all that Spacelift can run, or
// a word for each stack that is named.
func (d *decoder) customerRunner(v value, m pipeline.Manager, to *map[pipeline.StackName]pipeline.Runner) {
	runners := map[pipeline.StackName]pipeline.Runner{}
	if v.Kind != strictyaml.Object {
		var r pipeline.Runner
		if d.runner(v, &r); r != "" {
			for _, stack := range m.StackNames() {
				if r == pipeline.RunnerActions || m.Spacelift == nil || m.Spacelift.Runs(toolOf(m, stack)) {
					runners[stack] = r
				}
			}
		}
		*to = runners
		return
	}
	known := fields{}
	for _, stack := range m.Stacks {
		known[string(stack.Name)] = func(v value) {
			var r pipeline.Runner
			if d.runner(v, &r); r != "" {
				runners[stack.Name] = r
			}
		}
	}
	d.read(v, known)
	*to = runners
}

// toolOf is the name of the tool of a stack.
func toolOf(m pipeline.Manager, stack pipeline.StackName) string {
	if s, declared := m.Stack(stack); declared {
		return s.Tool.Name
	}
	return m.Tool.Name
}

// checkSpacelift compares what Spacelift runs with the rest of metapipe.yml.
func (d *decoder) checkSpacelift(n *strictyaml.Node, m pipeline.Manager) {
	if m.Runner != "" && len(m.Stacks) > 0 {
		at, _ := n.Locate("runner")
		d.add(at, RuleValue, "runner is set, and each stack has a runner of its own", "move it to the stacks that it is for")
	}
	for i, s := range m.Stacks {
		at, _ := n.Locate("stacks", strconv.Itoa(i), "runner")
		d.checkRuns(at, fmt.Sprintf("stacks[%d].runner", i), s.Runner, s.Name, m)
	}
	at, _ := n.Locate("runner")
	d.checkRuns(at, "runner", m.Runner, "", m)
	if m.Spacelift == nil {
		return
	}
	at, _ = n.Locate("spacelift")
	d.checkApproval(at, m)
	if !m.Spacelift.ManageState && m.State.Bucket.Name == "" && m.State.Backend.Type == "" {
		d.add(at, RuleValue, "the states lie in a directory, which Spacelift cannot reach", "keep them in a bucket (state.bucket), or add manage_state: true so that Spacelift keeps its own")
	}
}

// checkApproval demands the policy that a gate needs.
func (d *decoder) checkApproval(at pipeline.Position, m pipeline.Manager) {
	for _, e := range m.Environments {
		if e.NeedsApproval() && m.Spacelift.ApprovalPolicy == "" {
			d.add(at, RuleMissingKey, fmt.Sprintf("%q applies only with an approval, and spacelift in %s names no policy that asks for one", e.Name, ManagerFile),
				"add spacelift.approval_policy with the id of an approval policy in Spacelift")
			return
		}
	}
}

// checkRuns refuses a runner that cannot run the stack.
func (d *decoder) checkRuns(at pipeline.Position, name string, r pipeline.Runner, stack pipeline.StackName, m pipeline.Manager) {
	if r != pipeline.RunnerSpacelift {
		return
	}
	if m.Spacelift == nil {
		d.add(at, RuleValue, fmt.Sprintf("%s is %s, and %s says nothing of an account", name, r, ManagerFile), "add the account: "+spaceliftExample)
		return
	}
	if tool := toolOf(m, stack); !m.Spacelift.Runs(tool) {
		d.add(at, RuleValue, fmt.Sprintf("%s is %s, and the tool is %s", name, r, tool), "leave the stack to Actions: Spacelift gets the customer's values only with terraform and tofu")
	}
}

// checkRunners refuses what a customer's file says of runners that cannot be.
func (d *decoder) checkRunners(n *strictyaml.Node, c pipeline.Customer) {
	for _, stack := range c.StackNames() {
		path := []string{"runner"}
		if stack != "" && n.At("runner", string(stack)) != nil {
			path = append(path, string(stack))
		}
		at, _ := n.Locate(path...)
		d.checkRuns(at, strings.Join(path, "."), c.Runners[stack], stack, c.Manager)
	}
	for _, key := range []string{"gated", "prevent_self_review"} {
		if at, exact := n.Locate(key); exact && c.Manager.Spacelift != nil && len(c.RunBy(pipeline.RunnerSpacelift)) > 0 {
			d.checkApproval(at, c.Manager)
			return
		}
	}
}

// checkSlugs refuses two targets whose stacks in Spacelift would have one id.
func (l *loader) checkSlugs(all []registered) {
	first := map[string]pipeline.Target{}
	for _, c := range all {
		for _, t := range c.RunBy(pipeline.RunnerSpacelift) {
			slug := t.SpaceliftID()
			if other, taken := first[slug]; taken {
				at, _ := c.node.Locate()
				at.File = c.File
				l.add(at, RuleShared, fmt.Sprintf("%s and %s would have one id in Spacelift: %s", other, t, slug), "let Actions run one of the two, or rename one")
			}
			first[slug] = t
		}
	}
}
