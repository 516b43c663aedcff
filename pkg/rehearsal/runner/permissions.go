package runner

import (
	"fmt"
	"maps"

	"github.com/rhysd/actionlint"
)

// Scopes are the permissions that a token of a job can have. Source:
// https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax#permissions
var Scopes = []string{"actions", "attestations", "checks", "contents", "deployments", "discussions", "id-token", "issues", "models", "packages", "pages",
	"pull-requests", "security-events", "statuses"}

var levels = map[string]int{"": 0, "none": 0, "read": 1, "write": 2}

// permissionsOf are those of a job: its own, otherwise those of its workflow, otherwise what GitHub gives to new
// repositories. A called workflow never has more than the job that calls it.
func (f *frame) permissionsOf(job *actionlint.Job) (map[string]string, error) {
	p := job.Permissions
	if p == nil {
		p = f.w.Permissions
	}
	if p == nil {
		if f.most != nil {
			return f.most, nil
		}
		return map[string]string{"contents": "read", "packages": "read"}, nil
	}
	out := map[string]string{}
	if p.All != nil {
		level := map[string]string{"read-all": "read", "write-all": "write"}[p.All.Value]
		for _, scope := range Scopes {
			out[scope] = level
		}
	}
	for _, s := range p.Scopes {
		out[s.Name.Value] = s.Value.Value
	}
	maps.DeleteFunc(out, func(_, level string) bool { return levels[level] == 0 })
	if f.most == nil {
		return out, nil
	}
	for _, scope := range sorted(out) {
		if levels[out[scope]] > levels[f.most[scope]] {
			return nil, f.wrong(job.Pos, fmt.Errorf("the job asks for `%s: %s`, and the job that calls this workflow has less", scope, out[scope]))
		}
	}
	return out, nil
}
