package config

import (
	"fmt"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/strictyaml"
	"github.com/metapipe/metapipe/pkg/text"
)

// roleForm is that of an IAM role. Servers beside AWS have other partitions, and
// no account but a region.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
var roleForm = form{20, 2048, text.Pattern(`^arn:[a-z-]+:iam:[a-z0-9-]*:[0-9]*:role/([A-Za-z0-9_+=,.@-]+/)*[A-Za-z0-9_+=,.@-]+$`), ""}

// The bounds of AWS.
// Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
const (
	maxRoleName = 64 // bytes, without the path
	maxSession  = 12 * time.Hour
)

// role reads the ARN of a role, or a template for it.
func (d *decoder) role(v value, to *pipeline.Role) {
	s, ok := d.text(v)
	if !ok {
		return
	}
	t := pipeline.Template(s)
	if filled := t.Fill(pipeline.Target{Customer: "x", Environment: "x", Stack: "x"}, "x"); !roleForm.fits(filled) && !strings.Contains(filled, "{{") {
		d.add(v.at, RuleValue, fmt.Sprintf("%s is %q, which is not the ARN of a role", v.name, strictyaml.Short(s)),
			fmt.Sprintf("write one such as arn:aws:iam::123456789012:role/metapipe, where %s and %s may stand for the target and for plan or apply",
				strings.Join(d.targetPlaceholders(), ", "), pipeline.PlaceholderCommand))
		return
	}
	if d.template(v, t, append(d.targetPlaceholders(), pipeline.PlaceholderCommand)...) {
		*to = pipeline.Role(s)
	}
}

// checkRole holds that the names of a customer's roles can exist, and that its
// credentials can last as long as its work.
func (d *decoder) checkRole(n *strictyaml.Node, c pipeline.Customer, own bool) {
	if c.Manager.Role == "" {
		return
	}
	if own {
		d.checkSession(n, c.Manager)
	}
	at, _ := n.Locate("role")
	for _, t := range c.Targets() {
		arn := c.Manager.Role.Of(t, pipeline.WorkApply)
		if name := arn[strings.LastIndex(arn, "/")+1:]; len(name) > maxRoleName {
			d.add(at, RuleValue, fmt.Sprintf("the role of %s would be called %s: %d characters, and AWS takes %d", t, name, len(name), maxRoleName),
				"name a role in the customer's file with `role`, or shorten the template of "+ManagerFile)
			return
		}
	}
}

// checkSession refuses limits that no credentials of a role can last for.
func (d *decoder) checkSession(n *strictyaml.Node, m pipeline.Manager) {
	if m.Role == "" {
		return
	}
	for _, limit := range []struct {
		key  string
		is   time.Duration
		work pipeline.Work
	}{{"plan_timeout", m.Limits.PlanTimeout, pipeline.WorkPlan}, {"apply_timeout", m.Limits.ApplyTimeout, pipeline.WorkApply}} {
		needed := m.Limits.SessionTime(limit.work)
		if needed <= maxSession {
			continue
		}
		at, _ := n.Locate("limits", limit.key)
		d.add(at, RuleValue, fmt.Sprintf("limits.%s needs credentials for %s, and those of a role last %s at most", limit.key, hours(needed), hours(maxSession)),
			"set it to "+hours(maxSession-(needed-limit.is))+" at most, or remove `role`")
	}
}

// hours drops the zero seconds: 11h45m.
func hours(t time.Duration) string {
	return strings.TrimSuffix(strings.TrimSuffix(t.String(), "0s"), "0m")
}
