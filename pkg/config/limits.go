package config

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/strictyaml"
	"github.com/metapipe/metapipe/pkg/text"
)

// MaxVariables bounds limits.variables_size, in bytes: GitHub has no larger files
// inline in its contents API.
const MaxVariables = 1 << 20

// The bounds of limits. GitHub waits at most 30 days for an approval.
const (
	minVariables = 1 << 10
	maxPlanTTL   = 30 * 24 * time.Hour
)

func (d *decoder) limitFields(l *pipeline.Limits) fields {
	return fields{
		"variables_size": func(v value) { d.size(v, &l.VariablesBytes) },
		"plan_ttl":       func(v value) { d.duration(v, &l.PlanTTL, 5*time.Minute, maxPlanTTL) },
		"plan_timeout":   func(v value) { d.duration(v, &l.PlanTimeout, time.Minute, 24*time.Hour) },
		"apply_timeout":  func(v value) { d.duration(v, &l.ApplyTimeout, time.Minute, 5*24*time.Hour) },
		"lock_timeout":   func(v value) { d.duration(v, &l.LockTimeout, 0, time.Hour) },
	}
}

var sizePattern = text.Pattern(`^([0-9]+) ?(B|KiB|MiB)?$`)

// size reads bytes: a whole number, or text with the unit B, KiB or MiB.
func (d *decoder) size(v value, to *int) {
	text := v.Source
	if v.Kind != strictyaml.Number {
		s, ok := d.text(v)
		if !ok {
			return
		}
		text = s
	}
	m := sizePattern().FindStringSubmatch(text)
	if m == nil {
		d.add(v.at, RuleValue, fmt.Sprintf("%s is %q, which is not a size", v.name, strictyaml.Short(text)), "write bytes or a size such as 256KiB or 1MiB")
		return
	}
	n, err := strconv.Atoi(m[1])
	unit := map[string]int{"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20}[m[2]]
	if err != nil || n > math.MaxInt32/unit || n*unit < minVariables || n*unit > MaxVariables {
		d.add(v.at, RuleValue, fmt.Sprintf("%s is %s, which is out of range", v.name, text), "use 1KiB to 1MiB")
		return
	}
	*to = n * unit
}

func (d *decoder) duration(v value, to *time.Duration, least, most time.Duration) {
	s := v.Text
	t, err := time.ParseDuration(s)
	if err != nil || v.Kind != strictyaml.String {
		d.add(v.at, RuleValue, fmt.Sprintf("%s is %s, which is not a duration", v.name, v.Written()), "write hours, minutes and seconds such as 72h or 1h30m")
		return
	}
	if t < least || t > most {
		d.add(v.at, RuleValue, fmt.Sprintf("%s is %s, which is out of range", v.name, strictyaml.Short(s)), fmt.Sprintf("use %s to %s", plainDuration(least), plainDuration(most)))
		return
	}
	*to = t
}

// plainDuration drops the zero parts: 72h, not 72h0m0s.
func plainDuration(t time.Duration) string {
	switch {
	case t > 0 && t%time.Hour == 0:
		return fmt.Sprintf("%dh", t/time.Hour)
	case t > 0 && t%time.Minute == 0:
		return fmt.Sprintf("%dm", t/time.Minute)
	}
	return t.String()
}

// wait reads what a wait timer must be at least. GitHub's are whole minutes, up to
// 30 days.
// Source: https://docs.github.com/en/rest/deployments/environments#create-or-update-an-environment
func (d *decoder) wait(v value, to *time.Duration) {
	var t time.Duration
	d.duration(v, &t, time.Minute, maxPlanTTL)
	if t%time.Minute != 0 {
		d.add(v.at, RuleValue, fmt.Sprintf("%s is %s, but wait timers are whole minutes", v.name, strictyaml.Short(v.Text)), "round it up")
		return
	}
	*to = t
}

// checkWaits refuses rules under which no apply can happen, or that hold nothing
// back.
func (d *decoder) checkWaits(n *strictyaml.Node, m pipeline.Manager) {
	list := n.Get("environments")
	if list == nil {
		return
	}
	for _, rule := range m.Environments {
		for i, item := range list.Items {
			if name := item.Get("name"); name == nil || name.Text != string(rule.Name) {
				continue
			}
			if rule.WaitTimer >= m.Limits.PlanTTL {
				at, _ := n.Locate("environments", strconv.Itoa(i), "wait_timer")
				d.add(at, RuleValue, fmt.Sprintf("%q waits for %s, but its plans expire after %s", rule.Name, plainDuration(rule.WaitTimer),
					plainDuration(m.Limits.PlanTTL)), "shorten it, or raise limits.plan_ttl")
			}
			if rule.PreventSelfReview && !rule.Gated {
				at, _ := n.Locate("environments", strconv.Itoa(i), "prevent_self_review")
				d.add(at, RuleValue, fmt.Sprintf("%q requires an approval by another account than the requester, but it requires no approval", rule.Name), "add gated: true")
			}
		}
	}
}
