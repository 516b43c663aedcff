package hub

import (
	"cmp"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
)

// getActionsPermissions is GET …/actions/permissions.
func getActionsPermissions(c *call) reply {
	a := c.repo.settings.actions
	v := object{"enabled": !a.Disabled}
	if !a.Disabled {
		v["allowed_actions"] = cmp.Or(a.Allowed, "all")
		v["sha_pinning_required"] = false
	}
	return ok(v)
}

// getWorkflowPermissions is GET …/actions/permissions/workflow.
func getWorkflowPermissions(c *call) reply {
	level := "read"
	if c.repo.settings.actions.WriteToken {
		level = "write"
	}
	return ok(object{"default_workflow_permissions": level, "can_approve_pull_request_reviews": c.repo.settings.actions.Approves})
}

// listWorkflows is GET …/actions/workflows.
func listWorkflows(c *call) reply {
	out := []object{}
	for _, w := range c.repo.workflows {
		self := fmt.Sprintf("%s/actions/workflows/%d", c.repo.api(), w.id)
		out = append(out, object{
			"id": w.id, "node_id": nodeID("W", w.id), "name": w.Name, "path": w.Path, "state": cmp.Or(w.state, "active"),
			"created_at": stamp(c.repo.created), "updated_at": stamp(c.repo.created), "url": self,
			"html_url":  c.repo.html() + "/blob/" + c.repo.defaultBranch + "/" + w.Path,
			"badge_url": c.repo.html() + "/workflows/" + url.PathEscape(path.Base(w.Path)) + "/badge.svg",
		})
	}
	return ok(object{"total_count": len(out), "workflows": page(c, out)})
}

// listSecrets is GET …/actions/secrets: names and never values.
func listSecrets(c *call) reply {
	out := []object{}
	for _, name := range c.repo.settings.secrets {
		out = append(out, object{"name": name, "created_at": stamp(c.repo.created), "updated_at": stamp(c.repo.created)})
	}
	return ok(object{"total_count": len(out), "secrets": page(c, out)})
}

// listVariables is GET …/actions/variables.
func listVariables(c *call) reply {
	out := []object{}
	for _, v := range c.repo.settings.variables {
		out = append(out, object{"name": v.Name, "value": v.Value, "created_at": stamp(c.repo.created), "updated_at": stamp(c.repo.created)})
	}
	return ok(object{"total_count": len(out), "variables": pageSized(c, out, 10, 30)})
}

// listBranchRules is GET …/rules/branches/{branch}: the rules of all active rulesets that
// hold for it.
func listBranchRules(c *call) reply {
	if c.repo.lacks(PlanTeam) {
		return upgrade()
	}
	out := []object{}
	for _, set := range c.repo.settings.rulesets {
		if !set.governs(c.params["branch"], c.repo.defaultBranch) {
			continue
		}
		for _, rule := range set.Rules {
			v := viewRule(rule)
			v["ruleset_source_type"], v["ruleset_source"], v["ruleset_id"] = "Repository", c.repo.slug(), set.ID
			out = append(out, v)
		}
	}
	return ok(page(c, out))
}

func viewRule(rule Rule) object {
	v := object{"type": rule.Type}
	if len(rule.Parameters) > 0 {
		v["parameters"] = rule.Parameters
	}
	return v
}

// listTeams is GET /orgs/{org}/teams: those that the token sees, by their names.
func listTeams(c *call) reply {
	org, err := c.s.user(c.params["org"])
	if err != nil {
		return notFound()
	}
	q := &query{call: c}
	seen := slices.DeleteFunc(slices.Clone(c.s.teams), func(t *Team) bool { return t.org != org || !q.seesTeam(t) })
	slices.SortFunc(seen, func(a, b *Team) int {
		return cmp.Or(strings.Compare(strings.ToLower(a.name), strings.ToLower(b.name)), cmp.Compare(a.id, b.id))
	})
	out := []object{}
	for _, t := range seen {
		out = append(out, c.s.viewTeam(t))
	}
	return ok(page(c, out))
}

func (s *Server) viewTeam(t *Team) object {
	self := fmt.Sprintf("%s/organizations/%d/team/%d", s.url, t.org.ID, t.id)
	privacy := "closed"
	if t.secret {
		privacy = "secret"
	}
	return object{
		"id": t.id, "node_id": nodeID("T", t.id), "url": self, "html_url": s.url + "/orgs/" + t.org.Login + "/teams/" + t.slug, "name": t.name, "slug": t.slug,
		"description": nil, "privacy": privacy, "notification_setting": "notifications_enabled", "permission": "pull", "members_url": self + "/members{/member}",
		"repositories_url": self + "/repos", "parent": nil, "type": "organization", "organization_id": t.org.ID,
	}
}
