package hub

import (
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// listLabels is GET …/labels.
func listLabels(c *call) reply {
	out := []object{}
	for _, l := range c.repo.labels {
		out = append(out, c.repo.viewLabel(l))
	}
	return ok(page(c, out))
}

// postLabel is POST …/labels.
func postLabel(c *call) reply {
	var in struct{ Name, Color, Description string }
	if refusal, good := c.decode(&in); !good {
		return refusal
	}
	in.Color = strings.TrimPrefix(in.Color, "#")
	if in.Color == "" {
		in.Color = "ededed"
	}
	_, err := strconv.ParseUint(in.Color, 16, 32)
	switch {
	case in.Name == "":
		return invalid(fieldError{Resource: "Label", Code: "missing_field", Field: "name"})
	case c.repo.label(in.Name) != nil:
		return invalid(fieldError{Resource: "Label", Code: "already_exists", Field: "name"})
	case err != nil || len(in.Color) != 6:
		return invalid(fieldError{Resource: "Label", Code: "invalid", Field: "color"})
	case utf8.RuneCountInString(in.Description) > 100:
		return invalid(custom("Label", "description", "description is too long (maximum is 100 characters)"))
	}
	l := &label{id: c.s.id("label"), name: in.Name, color: in.Color, description: in.Description}
	c.repo.labels = append(c.repo.labels, l)
	v := c.repo.viewLabel(l)
	return created(v, c.repo.api()+"/labels/"+url.PathEscape(l.name))
}

// listIssueLabels is GET …/issues/{issue_number}/labels.
func listIssueLabels(c *call) reply {
	t, refusal := c.thread()
	if t == nil {
		return refusal
	}
	return ok(page(c, c.repo.viewLabels(*t.labels)))
}

// postIssueLabels is POST …/issues/{issue_number}/labels; the body is
// {"labels": […]} or the bare list.
func postIssueLabels(c *call) reply {
	t, refusal := c.thread()
	if t == nil {
		return refusal
	}
	var names []string
	if json.Unmarshal(c.body, &names) != nil {
		var in struct{ Labels []string }
		if refusal, good := c.decode(&in); !good {
			return refusal
		}
		names = in.Labels
	}
	*t.labels = c.repo.useLabels(append(slices.Clone(*t.labels), names...))
	*t.updated = c.s.clock()
	return ok(c.repo.viewLabels(*t.labels))
}

// deleteIssueLabel is DELETE …/issues/{issue_number}/labels/{name}.
func deleteIssueLabel(c *call) reply {
	t, refusal := c.thread()
	if t == nil {
		return refusal
	}
	at := slices.IndexFunc(*t.labels, func(n string) bool { return strings.EqualFold(n, c.params["name"]) })
	if at < 0 {
		return problem(404, "Label does not exist")
	}
	*t.labels = slices.Delete(*t.labels, at, at+1)
	*t.updated = c.s.clock()
	return ok(c.repo.viewLabels(*t.labels))
}
