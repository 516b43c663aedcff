package hub

import (
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
)

// SetPlan gives an account another plan.
func (s *Server) SetPlan(login string, p Plan) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, err := s.user(login)
	if err != nil {
		return fmt.Errorf("set the plan of %q: %w", login, err)
	}
	u.Plan = p
	return nil
}

// lacks reports whether the plan of the owner keeps a feature from this repository: one that
// needs at least the plan.
func (r *Repo) lacks(needed Plan) bool {
	ranks := []Plan{PlanFree, PlanTeam, PlanEnterprise}
	owner, err := r.s.user(r.owner)
	return err == nil && r.private && owner.Plan != "" && slices.Index(ranks, owner.Plan) < slices.Index(ranks, needed)
}

// SetActions sets the Actions permissions of the repository.
func (r *Repo) SetActions(a ActionsSettings) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.settings.actions = a
}

// SetSecrets replaces the names of the secrets of the repository.
func (r *Repo) SetSecrets(names ...string) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.settings.secrets = slices.Clone(names)
}

// SetVariable sets a variable of the repository. Names compare without regard to case, and
// GitHub shows them in upper case.
func (r *Repo) SetVariable(name, value string) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	name = strings.ToUpper(name)
	for i := range r.settings.variables {
		if r.settings.variables[i].Name == name {
			r.settings.variables[i].Value = value
			return
		}
	}
	r.settings.variables = append(r.settings.variables, Variable{name, value})
}

// AddRuleset adds a ruleset and returns its id.
func (r *Repo) AddRuleset(set Ruleset) int64 {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	return r.addRuleset(set).ID
}

func (r *Repo) addRuleset(set Ruleset) *Ruleset {
	if set.ID == 0 {
		set.ID = r.s.id("ruleset")
	}
	if set.Enforcement == "" {
		set.Enforcement = "active"
	}
	if set.Include == nil {
		set.Include = []string{"~DEFAULT_BRANCH"}
	}
	r.settings.rulesets = append(r.settings.rulesets, &set)
	return &set
}

// governs reports whether the ruleset holds for a branch.
func (set *Ruleset) governs(branch, standard string) bool {
	hit := func(patterns []string) bool {
		return slices.ContainsFunc(patterns, func(p string) bool {
			match, err := path.Match(p, "refs/heads/"+branch)
			return p == "~ALL" || p == "~DEFAULT_BRANCH" && branch == standard || err == nil && match
		})
	}
	return set.Enforcement == "active" && hit(set.Include) && !hit(set.Exclude)
}

// SetWorkflowState sets the state that GitHub shows of a workflow, such as
// disabled_inactivity; empty: active.
func (r *Repo) SetWorkflowState(file, state string) error {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	w := r.findWorkflow(file)
	if w == nil {
		return fmt.Errorf("set the state of workflow %q of %s: it is not known", file, r.slug())
	}
	w.state = state
	return nil
}

// upgrade is what GitHub answers for a feature that the plan lacks.
func upgrade() reply {
	return problem(http.StatusForbidden, "Upgrade to GitHub Pro or make this repository public to enable this feature.")
}

// DropRulesets removes all rulesets.
func (r *Repo) DropRulesets() {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.settings.rulesets = nil
}
