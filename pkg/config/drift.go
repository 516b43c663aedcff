package config

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/strictyaml"
)

// maxIgnoreRules bounds what each difference is compared with.
const maxIgnoreRules = 200

// drift reads what is done about drift, over what *to holds already: a kind that is
// named replaces its action, rules are added.
func (d *decoder) drift(v value, to *pipeline.DriftRules) {
	to.Actions, to.Ignore, to.Remediate = maps.Clone(to.Actions), slices.Clone(to.Ignore), nil
	if to.Actions == nil {
		to.Actions = map[pipeline.DriftKind]pipeline.DriftAction{}
	}
	d.read(v, d.driftFields(to))
	if len(to.Ignore) > maxIgnoreRules {
		d.add(v.at, RuleValue, fmt.Sprintf("%d rules ignore drift; at most %d can be", len(to.Ignore), maxIgnoreRules), `use "*" to join some`)
	}
}

func (d *decoder) driftFields(to *pipeline.DriftRules) fields {
	known := fields{
		"ignore": func(v value) { d.list(v, func(item value) { d.ignoreRule(item, &to.Ignore) }) },
		"remediate": func(v value) {
			d.list(v, func(item value) {
				if env := d.environmentName(item); env != "" {
					to.Remediate = append(to.Remediate, env)
				}
			})
		},
	}
	for _, kind := range []pipeline.DriftKind{pipeline.DriftReal, pipeline.DriftPending, pipeline.DriftManager, pipeline.DriftAbandoned} {
		known[string(kind)] = func(v value) {
			can := []string{string(pipeline.DriftReport), string(pipeline.DriftIssue), string(pipeline.DriftIgnore)}
			if kind == pipeline.DriftAbandoned { // the customer has chosen it, and needs no issue about it
				can = []string{string(pipeline.DriftReport), string(pipeline.DriftIgnore)}
			}
			if s, ok := d.choice(v, can...); ok {
				to.Actions[kind] = pipeline.DriftAction(s)
			}
		}
	}
	return known
}

// ignoreRule reads one rule. Each needs a reason and an end, since no one looks
// again at what is never shown.
func (d *decoder) ignoreRule(item value, to *[]pipeline.IgnoreRule) {
	rule := pipeline.IgnoreRule{Exception: d.exceptionAt(item)}
	d.read(item, d.ignoreFields(&rule))
	if item.Kind != strictyaml.Object {
		return
	}
	for _, key := range []string{"address", "reason", "owner", "until"} {
		if item.Get(key) == nil {
			d.add(item.at, RuleMissingKey, fmt.Sprintf("%s lacks the key %q", item.name, key),
				`write, for example: {address: "module.web.*", attribute: tags.LastSeen, reason: "set by the scanner", owner: security, until: "2030-12-31"}`)
			return
		}
	}
	if rule.Address != "" && rule.Reason != "" && rule.Owner != "" && !rule.Until.IsZero() {
		*to = append(*to, rule)
	}
}

func (d *decoder) ignoreFields(rule *pipeline.IgnoreRule) fields {
	text := func(to *string) func(value) {
		return func(v value) {
			if s, ok := d.text(v); ok {
				*to = s
			}
		}
	}
	known := d.exceptionKeys(&rule.Exception)
	known["address"], known["attribute"] = text(&rule.Address), text(&rule.Attribute)
	return known
}

// exceptionAt is the exception at a place of the file.
func (d *decoder) exceptionAt(v value) pipeline.Exception {
	return pipeline.Exception{Where: pipeline.Position{File: d.file, Line: v.at.Line, Column: v.at.Column}}
}

// exceptionKeys are the keys that all exceptions have.
func (d *decoder) exceptionKeys(e *pipeline.Exception) fields {
	return fields{
		"reason": func(v value) { d.matched(v, &e.Reason, lineForm) },
		"owner":  func(v value) { d.matched(v, &e.Owner, lineForm) },
		"until": func(v value) {
			if end, ok := d.lastDay(v); ok {
				e.Until = end
			}
		},
	}
}

// lastDay reads the last day of a rule, and returns the time from which on it has ended.
func (d *decoder) lastDay(v value) (end time.Time, ok bool) {
	s, ok := d.text(v)
	if !ok {
		return end, false
	}
	day, err := time.Parse(time.DateOnly, s)
	if err != nil {
		d.add(v.at, RuleValue, fmt.Sprintf("%s is %q", v.name, strictyaml.Short(s)), `write the last day of the rule, such as "2030-12-31"`)
		return end, false
	}
	return day.AddDate(0, 0, 1), true
}

// checkRemediate refuses environments that are not declared.
func (d *decoder) checkRemediate(n *strictyaml.Node, rules pipeline.DriftRules, m pipeline.Manager) {
	if list := n.Get("environments"); list == nil || len(list.Items) != len(m.Environments) {
		return // some of them could not be read
	}
	for _, env := range rules.Remediate {
		if _, ok := m.Rule(env); !ok {
			at, _ := n.Locate("drift", "remediate")
			d.add(at, RuleUnknownEnvironment, fmt.Sprintf("drift.remediate names %q, which %s does not declare", env, ManagerFile), "name one of the environments there")
		}
	}
}

// customerDrift lays a customer's values over the manager's. Remediation can only
// be taken away.
func (d *decoder) customerDrift(v value, to *pipeline.DriftRules) {
	allowed := to.Remediate
	d.drift(v, to)
	if d.blind || v.Get("remediate") == nil {
		to.Remediate = allowed
		return
	}
	for _, env := range to.Remediate {
		if !slices.Contains(allowed, env) {
			d.add(v.at, RuleLooser, fmt.Sprintf("drift.remediate names %q, which %s does not remediate", env, ManagerFile), "remove it: a customer's file can only narrow")
		}
	}
}
