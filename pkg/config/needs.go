package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/strictyaml"
)

// reservedVariables are names that no variable of a root module can have, or that metapipe
// gives a value itself: a stack with such a name cannot pass on its outputs.
var reservedVariables = []string{"config", "count", "depends_on", "environment", "environments", "for_each", "lifecycle", "locals", "providers", "source", "source_repo", "version"}

// needs reads the stacks whose outputs the stack of item reads. list holds all stacks of
// metapipe.yml, earlier those that stand before the item and are read.
func (d *decoder) needs(v, item value, list *strictyaml.Node, earlier []pipeline.StackRule) []pipeline.StackName {
	own := textOf(item.Get("name"))
	var all, before []string
	for _, stack := range list.Items {
		all = append(all, textOf(stack.Get("name")))
	}
	for _, rule := range earlier {
		before = append(before, string(rule.Name))
	}
	named := map[string]bool{}
	d.list(v, func(needed value) {
		s, ok := d.text(needed)
		if !ok {
			return
		}
		message, remedy, rule := neededFault(s, own, before, all)
		if named[s] {
			message, remedy, rule = fmt.Sprintf("%s names %q a second time", v.name, s), "keep one of the two", RuleDuplicate
		}
		if message != "" {
			d.add(needed.at, rule, strings.ReplaceAll(message, "NEEDED", needed.name), remedy)
			return
		}
		named[s] = true
	})
	var needs []pipeline.StackName
	for _, rule := range earlier {
		if named[string(rule.Name)] {
			needs = append(needs, rule.Name)
		}
	}
	return needs
}

// neededFault says why a stack cannot be needed; NEEDED stands for its key. The message is
// empty where it can be.
func neededFault(name, own string, earlier, all []string) (message, remedy, rule string) {
	switch {
	case name == own:
		return fmt.Sprintf("NEEDED is %q, the stack itself", strictyaml.Short(name)), "remove it", RuleStackOrder
	case slices.Contains(earlier, name):
		if slices.Contains(reservedVariables, name) || name[0] >= '0' && name[0] <= '9' {
			return fmt.Sprintf("NEEDED is %q, which cannot be the name of a variable, and the outputs of a needed stack become a variable with its name", name),
				"give that stack another name: a letter first, and none of " + strings.Join(reservedVariables, ", "), RuleNeededStack
		}
		return "", "", ""
	case slices.Contains(all, name):
		return fmt.Sprintf("NEEDED is %q, which stands later in stacks", strictyaml.Short(name)), "list the needed stack first: stacks are deployed in their order", RuleStackOrder
	}
	remedy = "no stack stands earlier; remove it"
	if len(earlier) > 0 {
		remedy = "earlier in the list are: " + strings.Join(earlier, ", ")
	}
	if like := pipeline.Nearest(name, earlier); like != "" {
		remedy = fmt.Sprintf("did you mean %q?", like)
	}
	return fmt.Sprintf("NEEDED is %q, which %s does not declare", strictyaml.Short(name), ManagerFile), remedy, RuleUnknownStack
}

// textOf is the text of a node that may be missing.
func textOf(n *strictyaml.Node) string {
	if n == nil || n.Kind != strictyaml.String {
		return ""
	}
	return n.Text
}

// checkNeeds refuses a customer that has a stack without those that it needs.
func (d *decoder) checkNeeds(v value, kept []pipeline.StackName, m pipeline.Manager) {
	for _, stack := range kept {
		for _, needed := range m.NeedsOf(stack) {
			if !slices.Contains(kept, needed) {
				d.add(v.at, RuleNeededStack, fmt.Sprintf("stacks names %s without %s, whose outputs %s needs", stack, needed, stack),
					fmt.Sprintf("add %s, or take %s out", needed, stack))
			}
		}
	}
}
