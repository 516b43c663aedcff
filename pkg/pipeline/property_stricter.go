package pipeline

import (
	"fmt"
	"slices"
)

// Stricter is why a plan that waits cannot be applied any more: a custom property of the
// repository has become stricter since its request was accepted. It is nil where the
// properties still allow the plan, and where they cannot be read: nothing is inferred from that.
//
// request is the one of the plan, tool the version that made it. A property that allows
// more than before changes nothing: the request keeps what it was accepted with. So do a
// property that has the same value as then, whatever the provider's files say now, a request
// that none counted for, and a destroy.
func (c Customer) Stricter(request Request, t Target, tool ToolVersion, now Properties, overlap func(a, b string) bool) *RefusedError {
	if c.Manager.Properties == nil || request.Properties == nil || !now.Known() || !c.Manager.Properties.changed(request.Properties.Used, now) {
		return nil
	}
	narrowed, problems := c.Narrow(now, overlap)
	why := ""
	if len(problems) > 0 {
		why = fmt.Sprintf("%s: %s", problems[0].Position.File, problems[0].Message)
	} else {
		why = c.stricter(request, t, tool, narrowed, overlap)
	}
	if why == "" {
		return nil
	}
	return &RefusedError{Reason: ReasonStaleProperties,
		Message: fmt.Sprintf("a custom property of %s has become stricter since the request was accepted: %s", request.Repository.Slug, why),
		Next:    request.Mode.Afresh(), Operator: request.Mode.Restart()}
}

// changed reports whether a property that counted then, and counts now, has another value.
func (r *PropertyRules) changed(then []UsedProperty, now Properties) bool {
	return slices.ContainsFunc(then, func(u UsedProperty) bool { return r.Uses(u.Name) && !now.Get(u.Name).equals(u.Value) })
}

// stricter compares what the properties narrow now with what they narrowed then.
func (c Customer) stricter(request Request, t Target, tool ToolVersion, now *RequestProperties, overlap func(a, b string) bool) string {
	rule, _ := c.Manager.Rule(t.Environment)
	patterns := c.Manager.Properties.Regions[now.Region()]
	switch {
	case now.OnlyApp():
		return fmt.Sprintf("%s is %s, so the repository asks for no infrastructure", now.Name(MeaningContent), now.Content)
	case !now.Enables(t.Stack):
		if t.Stack == "" {
			return fmt.Sprintf("%s enables no tool", now.Name(MeaningTools))
		}
		return fmt.Sprintf("%s does not enable stack %s", now.Name(MeaningTools), t.Stack)
	case now.Approval && !request.NeedsPropertyApproval() && !rule.Gated:
		return fmt.Sprintf("%s asks for an approval", now.Name(MeaningApproval))
	case now.PlannedOnly(request.Event, rule) != "" && request.Properties.PlannedOnly(request.Event, rule) == "":
		return now.PlannedOnly(request.Event, rule)
	case now.Version != "" && tool.Name == c.Manager.Tool.Name && !overlap("= "+tool.Version, now.Version):
		return fmt.Sprintf("%s asks for %s, and the plan was made with %s %s", now.Name(MeaningVersion), now.Version, tool.Name, tool.Version)
	case now.Region() != "" && now.Region() != request.Properties.Region() && !slices.Contains(patterns, "*"):
		return fmt.Sprintf("%s is %s, and the regions of the plan were not compared with that", now.Name(MeaningRegion), now.Region())
	}
	return ""
}
