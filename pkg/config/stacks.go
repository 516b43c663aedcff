package config

import (
	"fmt"
	"strconv"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/strictyaml"
)

const stacksExample = "stacks: [{name: network, root: network}, {name: hosts, root: hosts}]"

// stacks reads the stacks of metapipe.yml, in the order in which they are deployed. What a
// stack leaves out is still empty.
func (d *decoder) stacks(v value) []pipeline.StackRule {
	if v.Kind != strictyaml.Array || len(v.Items) == 0 {
		what := fmt.Sprintf("%s, where %s is expected", v.Kind, strictyaml.Array)
		if v.Kind == strictyaml.Array {
			what = "an empty list"
		}
		d.add(v.at, RuleValue, v.name+" is "+what, "name the stacks in the order in which they are deployed, or remove the key; for example: "+stacksExample)
		return nil
	}
	var rules []pipeline.StackRule
	first := make(map[pipeline.StackName]int)
	d.list(v, func(item value) {
		if item.Kind == strictyaml.String {
			d.add(item.at, RuleType, fmt.Sprintf("%s is %s, where %s is expected", item.name, item.Kind, strictyaml.Object), "write - name: "+strictyaml.Short(item.Text))
			return
		}
		rule := pipeline.StackRule{}
		d.read(item, d.stackFields(&rule, item, v.Node, rules))
		if item.Kind != strictyaml.Object {
			return
		}
		name := item.Get("name")
		switch {
		case name == nil:
			d.add(item.at, RuleMissingKey, item.name+" lacks the key \"name\"", "add name: network, for example")
		case rule.Name == "":
			// reported already
		case first[rule.Name] > 0:
			d.add(pipeline.Position{Line: name.Line, Column: name.Column}, RuleDuplicate,
				fmt.Sprintf("the stack %q is listed twice; first on line %d", rule.Name, first[rule.Name]), "keep one of the two")
		default:
			if isKubernetes(rule.Tool.Name) && item.Get("kubernetes") == nil {
				d.add(item.at, RuleMissingKey, item.name+" lacks the key \"kubernetes\"", `add kubernetes: {kubeconfig: CLUSTER_KUBECONFIG, namespace: "{{ customer }}-{{ environment }}"}, for example`)
			}
			first[rule.Name] = name.Line
			rules = append(rules, rule)
		}
	})
	return rules
}

// stackFields reads the item of list that is one stack; earlier are those that stand before it.
func (d *decoder) stackFields(r *pipeline.StackRule, item value, list *strictyaml.Node, earlier []pipeline.StackRule) fields {
	return fields{
		"needs": func(v value) { r.Needs = d.needs(v, item, list, earlier) },
		"name":  func(v value) { r.Name = d.stackName(v) },
		"tool": func(v value) {
			if s, ok := d.choice(v, StackTools()...); ok {
				r.Tool.Name = s
			}
		},
		"version": func(v value) {
			if tool := item.Get("tool"); tool != nil && tool.Text == pipeline.CloudFormationTool {
				d.add(v.at, RuleValue, v.name+" is set, and "+pipeline.CloudFormationTool+" has no versions: AWS runs it", "remove it")
				return
			}
			d.constraint(v, &r.Tool.Constraint)
		},
		"cloudformation": func(v value) { d.cloudFormation(v, item, &r.Tool.CloudFormation) },
		"kubernetes":     func(v value) { d.kubernetes(v, item, &r.Tool.Kubernetes) },
		"ansible":        func(v value) { d.ansible(v, item, &r.Tool.Ansible) },
		"runner":         func(v value) { d.runner(v, &r.Runner) },
		"root": func(v value) {
			if p, ok := d.path(v); ok {
				r.Root = p
			}
		},
	}
}

func (d *decoder) stackName(v value) pipeline.StackName {
	s, ok := d.text(v)
	if !ok {
		return ""
	}
	name, err := pipeline.ParseStackName(s)
	if err != nil {
		d.add(v.at, RuleName, fmt.Sprintf("%s is %q", v.name, strictyaml.Short(s)), "use 1–40 lower-case letters, digits and inner hyphens")
		return ""
	}
	return name
}

// completeStacks fills in what stacks leave out. The version in `tool` is one of the tool
// that `tool` names, so it says nothing about another one.
func completeStacks(m *pipeline.Manager) {
	for i := range m.Stacks {
		s := &m.Stacks[i]
		if s.Root == "" {
			s.Root = DefaultRoot
		}
		own := s.Tool
		s.Tool = m.Tool
		s.Tool.Ansible, s.Tool.CloudFormation, s.Tool.Kubernetes = own.Ansible, own.CloudFormation, own.Kubernetes
		if own.Name != "" && own.Name != m.Tool.Name {
			s.Tool.Name, s.Tool.Constraint = own.Name, ""
		}
		if own.Constraint != "" {
			s.Tool.Constraint = own.Constraint
		}
	}
}

// checkChain bounds the jobs of one workflow run.
func (d *decoder) checkChain(n *strictyaml.Node, m pipeline.Manager) {
	at, _ := n.Locate("stacks")
	if len(m.Stacks) > maxStacks {
		d.add(at, RuleValue, fmt.Sprintf("%d stacks are listed; at most %d can be chained in one workflow", len(m.Stacks), maxStacks), "remove some")
	} else if chain := len(m.Stacks) * len(m.Environments); chain > maxChain {
		d.add(at, RuleValue, fmt.Sprintf("%d stacks in %d environments make %d targets; at most %d can be chained in one workflow", len(m.Stacks), len(m.Environments), chain, maxChain),
			"remove stacks or environments")
	}
}

// checkStackRoots demands of each stack a root module of its own that exists: two stacks
// with one root would build the same infrastructure twice.
func (l *loader) checkStackRoots(n *strictyaml.Node, m pipeline.Manager) {
	items := n.Get("stacks")
	if items == nil {
		return
	}
	first := map[string]pipeline.StackName{}
	for i, item := range items.Items {
		name := item.Get("name")
		if name == nil {
			continue
		}
		at, _ := n.Locate("stacks", strconv.Itoa(i), "root")
		at.File = ManagerFile
		s, declared := m.Stack(pipeline.StackName(name.Text))
		if !declared {
			continue // reported already
		}
		l.checkRoot(at, s.Root, s.Tool)
		if other, taken := first[s.Root]; taken && other != s.Name {
			l.add(at, RuleShared, fmt.Sprintf("the stacks %s and %s have the same root %s, and would build the same infrastructure twice", other, s.Name, s.Root), "give each stack a root of its own")
			continue
		}
		first[s.Root] = s.Name
	}
}

// customerStacks reads the stacks of metapipe.yml that a customer has, and returns them in
// the order of metapipe.yml.
func (d *decoder) customerStacks(v value, m pipeline.Manager) []pipeline.StackName {
	if !d.stacked && !d.blind {
		d.add(v.at, RuleUnknownStack, fmt.Sprintf("stacks is set, and %s declares no stacks", ManagerFile), "remove it, or declare them in "+ManagerFile+": "+stacksExample)
		return nil
	}
	known := make([]string, len(m.Stacks))
	for i, s := range m.Stacks {
		known[i] = string(s.Name)
	}
	named := d.namedAmong(v, known, RuleUnknownStack)
	stacks := []pipeline.StackName{} // not nil: nil would mean all
	for _, s := range m.Stacks {
		if named[string(s.Name)] {
			stacks = append(stacks, s.Name)
		}
	}
	if !d.blind {
		d.checkNeeds(v, stacks, m)
	}
	return stacks
}
