package config

import (
	"fmt"
	"net/url"
	"path"
	"strings"

	version "github.com/hashicorp/go-version"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/strictyaml"
	"github.com/metapipe/metapipe/pkg/text"
)

// manager reads metapipe.yml over the defaults.
func (d *decoder) manager(n *strictyaml.Node) pipeline.Manager {
	m := Default()
	m.Environments, m.CustomerVariables = nil, nil
	d.read(top(n), d.managerFields(&m))
	completeStacks(&m)
	d.checkChain(n, m)
	d.checkRemediate(n, m.Drift, m)
	d.checkDefaultTools(n, m)
	d.checkAutoDeploy(n, m)
	d.checkContent(n, m)
	d.checkSession(n, m)
	d.checkSpacelift(n, m)
	if n.Get("environments") == nil {
		at, _ := n.Locate()
		d.add(at, RuleMissingKey, "the file lacks the key \"environments\"", "add the environments in promotion order, for example: "+managerExample)
	}
	d.checkWaits(n, m)
	return m
}

func (d *decoder) managerFields(m *pipeline.Manager) fields {
	return fields{
		"sealing_keys": func(v value) {
			d.sealingKeys(v, &m.SealingKeys)
		},
		"state":        func(v value) { d.state(v, &m.State) },
		"environments": func(v value) { m.Environments = d.environments(v) },
		"stacks":       func(v value) { m.Stacks = d.stacks(v) },
		"tool":         func(v value) { d.read(v, d.toolFields(&m.Tool)) },
		"role":         func(v value) { d.role(v, &m.Role) },
		"schema": func(v value) {
			if p, ok := d.path(v); ok {
				m.Schema = p
			}
		},
		"code":               func(v value) { d.code(v, &m.Code) },
		"customer_variables": func(v value) { d.customerVariables(v, &m.CustomerVariables) },
		"trust":              func(v value) { d.trust(v, &m.Trust) },
		"issuer":             func(v value) { d.issuer(v, &m.Issuer) },
		"redaction":          func(v value) { d.redaction(v, &m.Redaction) },
		"limits":             func(v value) { d.read(v, d.limitFields(&m.Limits)) },
		"drift":              func(v value) { d.drift(v, &m.Drift) },
		"properties":         func(v value) { d.properties(v, &m.Properties) },
		"content":            func(v value) { d.content(v, &m.Content) },
		"runner":             func(v value) { d.runner(v, &m.Runner) },
		"spacelift":          func(v value) { d.spacelift(v, &m.Spacelift) },
	}
}

// variableName is how Terraform writes the name of a variable.
var variableName = text.Pattern(`^[A-Za-z_][A-Za-z0-9_-]*$`)

func (d *decoder) customerVariables(v value, to *[]string) {
	d.list(v, func(item value) {
		name, ok := d.text(item)
		if !ok {
			return
		}
		if name != "*" && !variableName().MatchString(name) {
			d.add(item.at, RuleValue, fmt.Sprintf("%s is %q, which is not the name of a variable", item.name, strictyaml.Short(name)),
				"write the name of a variable of the root module, or \"*\" for all of them")
			return
		}
		*to = append(*to, name)
	})
}

func (d *decoder) trust(v value, t *pipeline.Trust) {
	if s, ok := d.choice(v, string(pipeline.TrustRequired), string(pipeline.TrustPreferred), string(pipeline.TrustOff)); ok {
		*t = pipeline.Trust(s)
	}
}

// issuer reads an address that is compared letter by letter with the claim iss,
// and below which the keys are: so nothing may stand in it that two programs
// could read differently.
func (d *decoder) issuer(v value, to *string) {
	s, ok := d.text(v)
	if !ok {
		return
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" ||
		u.String() != s || strings.ToLower(u.Host) != u.Host || strings.HasSuffix(s, "/") || len(s) > maxIssuer || strings.ContainsAny(s, "%?#") {
		d.add(v.at, RuleValue, fmt.Sprintf("%s is %q, which is not a plain https address", v.name, strictyaml.Short(s)),
			"write it as the claim iss has it, without a slash at the end: https://token.actions.githubusercontent.com/ENTERPRISE, for example")
		return
	}
	*to = s
}

func (d *decoder) redaction(v value, l *pipeline.Redaction) {
	if s, ok := d.choice(v, string(pipeline.RedactionValues), string(pipeline.RedactionSummary)); ok {
		*l = pipeline.Redaction(s)
	}
}

func (d *decoder) environments(v value) []pipeline.EnvironmentRule {
	var rules []pipeline.EnvironmentRule
	first := make(map[pipeline.Environment]int)
	if v.Kind != strictyaml.Array || len(v.Items) == 0 {
		what := fmt.Sprintf("%s, where %s is expected", v.Kind, strictyaml.Array)
		if v.Kind == strictyaml.Array {
			what = "an empty list"
		}
		d.add(v.at, RuleValue, v.name+" is "+what, "name the environments in promotion order, for example: "+managerExample)
		return nil
	}
	d.list(v, func(item value) {
		if item.Kind == strictyaml.String {
			d.add(item.at, RuleType, fmt.Sprintf("%s is %s, where %s is expected", item.name, item.Kind, strictyaml.Object), "write - name: "+strictyaml.Short(item.Text))
			return
		}
		rule := pipeline.EnvironmentRule{}
		d.read(item, d.environmentFields(&rule))
		if item.Kind != strictyaml.Object {
			return
		}
		name := item.Get("name")
		switch {
		case name == nil:
			d.add(item.at, RuleMissingKey, item.name+" lacks the key \"name\"", "add name: staging, for example")
		case rule.Name == "":
			// reported already
		case first[rule.Name] > 0:
			d.add(pipeline.Position{Line: name.Line, Column: name.Column}, RuleDuplicate,
				fmt.Sprintf("the environment %q is listed twice; first on line %d", rule.Name, first[rule.Name]), "keep one of the two")
		default:
			first[rule.Name] = name.Line
			d.checkGate(item, rule)
			rules = append(rules, rule)
		}
	})
	if len(rules) > maxEnvironments {
		d.add(v.at, RuleValue, fmt.Sprintf("%d environments are listed; at most %d can be chained in one workflow", len(rules), maxEnvironments), "remove some")
	}
	return rules
}

// checkGate warns of a production environment without a decision about its gate.
func (d *decoder) checkGate(item value, rule pipeline.EnvironmentRule) {
	if (rule.Name == "production" || rule.Name == "prod") && item.Get("gated") == nil {
		d.warn(item.at, RuleUngated, fmt.Sprintf("%q applies without anybody's approval", rule.Name), "add gated: true, or gated: false if that is meant")
	}
}

func (d *decoder) environmentFields(r *pipeline.EnvironmentRule) fields {
	return fields{
		"name":                func(v value) { r.Name = d.environmentName(v) },
		"branches":            func(v value) { d.list(v, func(item value) { d.branch(item, &r.Branches) }) },
		"gated":               func(v value) { r.Gated = d.boolean(v) },
		"wait_timer":          func(v value) { d.wait(v, &r.WaitTimer) },
		"prevent_self_review": func(v value) { r.PreventSelfReview = d.boolean(v) },
		"require_reviewed":    func(v value) { r.RequireReviewed = d.boolean(v) },
		"exactness":           func(v value) { d.exactness(v, &r.Exactness) },
		"auto_deploy": func(v value) {
			if s, ok := d.choice(v, string(pipeline.AutoDeployAllowed)); ok {
				r.AutoDeploy = pipeline.AutoDeploy(s)
			}
		},
	}
}

func (d *decoder) exactness(v value, to *pipeline.Exactness) {
	if s, ok := d.choice(v, string(pipeline.ExactnessExact), string(pipeline.ExactnessBound), string(pipeline.ExactnessPredicted)); ok {
		*to = pipeline.Exactness(s)
	}
}

func (d *decoder) branch(v value, to *[]string) {
	s, ok := d.text(v)
	if !ok {
		return
	}
	if short, found := strings.CutPrefix(s, "refs/heads/"); found {
		d.add(v.at, RuleValue, fmt.Sprintf("%s is a full ref", v.name), fmt.Sprintf("write the name alone: %q", strictyaml.Short(short)))
		return
	}
	if _, err := path.Match(s, ""); err != nil || strings.ContainsAny(s, " ~:\t\r\n") || strings.HasPrefix(s, "/") || strings.HasSuffix(s, "/") {
		d.add(v.at, RuleValue, fmt.Sprintf("%s is %q, which is neither a branch nor a pattern", v.name, strictyaml.Short(s)),
			`write a branch such as "main" or a pattern such as "release/*"`)
		return
	}
	*to = append(*to, s)
}

// Tools are the names that tool.name may have.
func Tools() []string { return []string{"terraform", "tofu"} }

// StackTools are the tools that a stack may have: also those that serve no customer alone.
func StackTools() []string {
	return append(Tools(), ansibleTool, pulumiTool, pipeline.CloudFormationTool, kubernetesTools[0], kubernetesTools[1])
}

func (d *decoder) toolFields(t *pipeline.ToolRule) fields {
	return fields{
		"name": func(v value) {
			if s, ok := d.choice(v, Tools()...); ok {
				t.Name = s
			}
		},
		"version": func(v value) { d.constraint(v, &t.Constraint) },
		"env":     func(v value) { d.list(v, func(item value) { d.envName(item, &t.Env) }) },
	}
}

func (d *decoder) constraint(v value, to *string) {
	s, ok := d.text(v)
	if !ok {
		return
	}
	if _, err := version.NewConstraint(s); err != nil {
		d.add(v.at, RuleValue, fmt.Sprintf("%s is %q, which is not a version constraint", v.name, strictyaml.Short(s)),
			`write one such as "~> 1.11" or ">= 1.6, < 2"`)
		return
	}
	*to = s
}

var envNamePattern = text.Pattern(`^[A-Za-z_][A-Za-z0-9_]*\*?$`)

func (d *decoder) envName(v value, to *[]string) {
	s, ok := d.text(v)
	if !ok {
		return
	}
	if !envNamePattern().MatchString(s) {
		d.add(v.at, RuleValue, fmt.Sprintf("%s is %q, which is not the name of an environment variable", v.name, strictyaml.Short(s)),
			`write a name such as "DATADOG_API_KEY" or a prefix such as "DATADOG_*"`)
		return
	}
	if private := pipeline.DeniedByRule(s); private != "" {
		d.add(v.at, RuleValue, fmt.Sprintf("%s is %q, which covers %s: the tool never gets that", v.name, s, private),
			"name the variables one by one, or use a longer prefix")
		return
	}
	*to = append(*to, s)
}
