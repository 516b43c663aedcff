package hub

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// putActionsPermissions is PUT …/actions/permissions.
func putActionsPermissions(c *call) reply {
	var in struct {
		Enabled *bool  `json:"enabled"`
		Allowed string `json:"allowed_actions"`
	}
	if refusal, good := c.decode(&in); !good {
		return refusal
	}
	if in.Enabled == nil || in.Allowed != "" && !slices.Contains([]string{"all", "local_only", "selected"}, in.Allowed) {
		return invalid(custom("Repository", "enabled", "is missing, or allowed_actions is not known"))
	}
	c.repo.settings.actions.Disabled = !*in.Enabled
	if in.Allowed != "" {
		c.repo.settings.actions.Allowed = in.Allowed
	}
	return noContent()
}

// putWorkflowPermissions is PUT …/actions/permissions/workflow.
func putWorkflowPermissions(c *call) reply {
	var in struct {
		Level    string `json:"default_workflow_permissions"`
		Approves *bool  `json:"can_approve_pull_request_reviews"`
	}
	if refusal, good := c.decode(&in); !good {
		return refusal
	}
	if in.Level != "" {
		c.repo.settings.actions.WriteToken = in.Level == "write"
	}
	if in.Approves != nil {
		c.repo.settings.actions.Approves = *in.Approves
	}
	return noContent()
}

func (r *Repo) variable(name string) *Variable {
	i := slices.IndexFunc(r.settings.variables, func(v Variable) bool { return strings.EqualFold(v.Name, name) })
	if i < 0 {
		return nil
	}
	return &r.settings.variables[i]
}

// getVariable is GET …/actions/variables/{name}.
func getVariable(c *call) reply {
	v := c.repo.variable(c.params["name"])
	if v == nil {
		return notFound()
	}
	return ok(object{"name": v.Name, "value": v.Value, "created_at": stamp(c.repo.created), "updated_at": stamp(c.repo.created)})
}

// postVariable is POST …/actions/variables.
func postVariable(c *call) reply {
	var in struct{ Name, Value string }
	if refusal, good := c.decode(&in); !good {
		return refusal
	}
	switch {
	case in.Name == "" || strings.HasPrefix(strings.ToUpper(in.Name), "GITHUB_"):
		return invalid(custom("ActionsVariable", "name", "is not possible"))
	case c.repo.variable(in.Name) != nil:
		return problem(http.StatusConflict, "Already exists - Variable already exists")
	}
	c.repo.settings.variables = append(c.repo.settings.variables, Variable{strings.ToUpper(in.Name), in.Value})
	return created(object{}, c.repo.api()+"/actions/variables/"+in.Name)
}

// patchVariable is PATCH …/actions/variables/{name}.
func patchVariable(c *call) reply {
	var in struct{ Value *string }
	if refusal, good := c.decode(&in); !good {
		return refusal
	}
	v := c.repo.variable(c.params["name"])
	if v == nil {
		return notFound()
	}
	if in.Value != nil {
		v.Value = *in.Value
	}
	return noContent()
}

// deleteVariable is DELETE …/actions/variables/{name}.
func deleteVariable(c *call) reply {
	if c.repo.variable(c.params["name"]) == nil {
		return notFound()
	}
	c.repo.settings.variables = slices.DeleteFunc(c.repo.settings.variables, func(v Variable) bool { return strings.EqualFold(v.Name, c.params["name"]) })
	return noContent()
}

// rulesetInput is what a client sends.
type rulesetInput struct {
	Name        string          `json:"name"`
	Target      string          `json:"target"`
	Enforcement string          `json:"enforcement"`
	Bypass      json.RawMessage `json:"bypass_actors"`
	Conditions  struct {
		Ref struct {
			Include []string `json:"include"`
			Exclude []string `json:"exclude"`
		} `json:"ref_name"`
	} `json:"conditions"`
	Rules []Rule `json:"rules"`
}

func (in rulesetInput) ruleset() Ruleset {
	return Ruleset{Name: in.Name, Enforcement: in.Enforcement, Include: in.Conditions.Ref.Include, Exclude: in.Conditions.Ref.Exclude, Rules: in.Rules, Bypass: in.Bypass}
}

func (r *Repo) viewRuleset(set *Ruleset, whole bool) object {
	v := object{
		"id": set.ID, "node_id": nodeID("RRS", set.ID), "name": set.Name, "target": "branch", "source_type": "Repository", "source": r.slug(),
		"enforcement": set.Enforcement, "created_at": stamp(r.created), "updated_at": stamp(r.created),
	}
	if !whole {
		return v
	}
	rules := []object{}
	for _, rule := range set.Rules {
		rules = append(rules, viewRule(rule))
	}
	v["rules"] = rules
	v["conditions"] = object{"ref_name": object{"include": append([]string{}, set.Include...), "exclude": append([]string{}, set.Exclude...)}}
	v["bypass_actors"] = json.RawMessage("[]")
	if len(set.Bypass) > 0 {
		v["bypass_actors"] = set.Bypass
	}
	return v
}

// listRulesets is GET …/rulesets, without the rules.
func listRulesets(c *call) reply {
	if c.repo.lacks(PlanTeam) {
		return upgrade()
	}
	out := []object{}
	for _, set := range c.repo.settings.rulesets {
		out = append(out, c.repo.viewRuleset(set, false))
	}
	return ok(page(c, out))
}

func (c *call) ruleset() *Ruleset {
	i := slices.IndexFunc(c.repo.settings.rulesets, func(set *Ruleset) bool { return strconv.FormatInt(set.ID, 10) == c.params["ruleset_id"] })
	if i < 0 || c.repo.lacks(PlanTeam) {
		return nil
	}
	return c.repo.settings.rulesets[i]
}

// getRuleset is GET …/rulesets/{ruleset_id}. Who may pass the rules only those see who may change them.
func getRuleset(c *call) reply {
	set := c.ruleset()
	if set == nil {
		return notFound()
	}
	v := c.repo.viewRuleset(set, true)
	if !c.administers() {
		delete(v, "bypass_actors")
	}
	return ok(v)
}

// administers reports whether the token may change the settings of the repository.
func (c *call) administers() bool {
	if c.token == nil {
		return false
	}
	if c.token.Kind == Classic {
		return c.token.hasScope("repo") && c.repo.role(c.token.User) >= Admin
	}
	return c.token.grants(c.repo, need{administration, "write"})
}

// postRuleset is POST …/rulesets.
func postRuleset(c *call) reply {
	var in rulesetInput
	if refusal, good := c.decode(&in); !good {
		return refusal
	}
	if c.repo.lacks(PlanTeam) {
		return upgrade()
	}
	if in.Name == "" || slices.ContainsFunc(c.repo.settings.rulesets, func(set *Ruleset) bool { return set.Name == in.Name }) {
		return invalid(custom("Ruleset", "name", "Name must be unique"))
	}
	return created(c.repo.viewRuleset(c.repo.addRuleset(in.ruleset()), true), c.repo.api()+"/rulesets")
}

// putRuleset is PUT …/rulesets/{ruleset_id}.
func putRuleset(c *call) reply {
	var in rulesetInput
	if refusal, good := c.decode(&in); !good {
		return refusal
	}
	set := c.ruleset()
	if set == nil {
		return notFound()
	}
	id := set.ID
	if *set = in.ruleset(); set.Enforcement == "" {
		set.Enforcement = "active"
	}
	set.ID = id
	return ok(c.repo.viewRuleset(set, true))
}

// deleteRuleset is DELETE …/rulesets/{ruleset_id}.
func deleteRuleset(c *call) reply {
	set := c.ruleset()
	if set == nil {
		return notFound()
	}
	c.repo.settings.rulesets = slices.DeleteFunc(c.repo.settings.rulesets, func(o *Ruleset) bool { return o == set })
	return noContent()
}

// getAccount is GET /users/{username}.
func getAccount(c *call) reply {
	u, err := c.s.user(c.params["username"])
	if err != nil {
		return notFound()
	}
	v, _ := c.s.viewUser(u).(object)
	for k, x := range (object{
		"name": orNull(u.Name), "company": nil, "blog": "", "location": nil, "email": nil, "hireable": nil, "bio": nil,
		"public_repos": 0, "public_gists": 0, "followers": 0, "following": 0, "created_at": stamp(c.s.clock()), "updated_at": stamp(c.s.clock()),
	}) {
		v[k] = x
	}
	return ok(v)
}
