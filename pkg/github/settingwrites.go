package github

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/change"
	"github.com/metapipe/metapipe/pkg/pipeline/settings"
)

// Setting implements settings.GitHub.
func (c *Client) Setting(ctx context.Context, slug pipeline.Slug, what string) (json.RawMessage, error) {
	kind, name, known := settings.Split(what)
	if !known {
		return nil, fmt.Errorf("setting %q is not known", what)
	}
	switch kind {
	case settings.Actions:
		p, err := c.ActionsPermissions(ctx, slug)
		return encoded(settings.ActionsValue{Enabled: p.Enabled}, err)
	case settings.WorkflowPermissions:
		p, err := c.WorkflowPermissions(ctx, slug)
		return encoded(settings.WorkflowValue{Token: p.Token, Approves: p.Approves}, err)
	case settings.VariableOf:
		return c.variable(ctx, slug, name)
	case settings.EnvironmentOf:
		return c.environment(ctx, slug, name)
	}
	_, set, err := c.ruleset(ctx, slug, name)
	if err != nil || set == nil {
		return change.None, err
	}
	return encoded(*set, nil)
}

func encoded(v any, err error) (json.RawMessage, error) {
	if err != nil {
		return nil, err
	}
	return settings.Encode(v)
}

// absentIn turns a 404 into an answer, where the repository itself can be seen.
func (c *Client) absentIn(ctx context.Context, slug pipeline.Slug, err error) error {
	if !pipeline.NotVisible(err) {
		return err
	}
	_, visible := c.Repository(ctx, slug)
	return visible
}

func (c *Client) variable(ctx context.Context, slug pipeline.Slug, name string) (json.RawMessage, error) {
	k := get(slug, "read the variable "+name, "/repos/{owner}/{repo}/actions/variables/{name}", name)
	var got struct {
		Value *string `json:"value"`
	}
	if _, err := c.send(ctx, k, nil, &got); err != nil {
		return change.None, c.absentIn(ctx, slug, err)
	}
	if got.Value == nil {
		return nil, k.fail(errors.New("the answer lacks the value"))
	}
	return settings.Encode(*got.Value)
}

// environmentIdentities are the reviewers of an environment with their kinds.
type environmentIdentities struct {
	environmentSettings
	Rules []struct {
		Type              string `json:"type"`
		WaitTimer         int    `json:"wait_timer"`
		PreventSelfReview bool   `json:"prevent_self_review"`
		Reviewers         []struct {
			Type     string       `json:"type"`
			Reviewer repositoryID `json:"reviewer"`
		} `json:"reviewers"`
	} `json:"protection_rules"`
}

func (c *Client) environment(ctx context.Context, slug pipeline.Slug, name string) (json.RawMessage, error) {
	k := get(slug, fmt.Sprintf("read environment %q", name), "/repos/{owner}/{repo}/environments/{environment_name}", name)
	var got environmentIdentities
	if _, err := c.send(ctx, k, nil, &got); err != nil {
		return change.None, c.absentIn(ctx, slug, err)
	}
	var e settings.Environment
	for _, rule := range got.Rules {
		switch rule.Type {
		case "wait_timer":
			e.WaitTimer = rule.WaitTimer
		case "required_reviewers":
			e.PreventSelfReview = rule.PreventSelfReview
			for _, r := range rule.Reviewers {
				if r.Reviewer.ID <= 0 || r.Type != "User" && r.Type != "Team" {
					return nil, k.fail(errors.New("a reviewer has no id, or is neither a user nor a team"))
				}
				e.Reviewers = append(e.Reviewers, settings.Reviewer{Type: r.Type, ID: r.Reviewer.ID})
			}
		}
	}
	if got.Policy != nil && got.Policy.Named {
		list, err := c.DeploymentBranches(ctx, slug, name)
		if err != nil {
			return nil, err
		}
		e.Branches = append([]string{}, list...)
	}
	e.Protected = got.Policy != nil && got.Policy.Protected
	return settings.Encode(e)
}

// rulesetResponse is a ruleset. A list has neither its rules nor its conditions.
type rulesetResponse struct {
	ID          int64             `json:"id"`
	Name        string            `json:"name"`
	Target      string            `json:"target"`
	SourceType  string            `json:"source_type"`
	Enforcement string            `json:"enforcement"`
	Bypass      json.RawMessage   `json:"bypass_actors"`
	Rules       []json.RawMessage `json:"rules"`
	Conditions  struct {
		Ref struct {
			Include []string `json:"include"`
			Exclude []string `json:"exclude"`
		} `json:"ref_name"`
	} `json:"conditions"`
}

// ruleset reads the repository's own ruleset of that name; nil: there is none.
func (c *Client) ruleset(ctx context.Context, slug pipeline.Slug, name string) (int64, *settings.Ruleset, error) {
	list := get(slug, "list the rulesets", "/repos/{owner}/{repo}/rulesets")
	list.query = url.Values{"includes_parents": {"false"}}
	all, err := collect[rulesetResponse](ctx, c, list)
	if err != nil {
		return 0, nil, err
	}
	i := slices.IndexFunc(all, func(r rulesetResponse) bool { return r.Name == name })
	if i < 0 {
		return 0, nil, nil
	}
	k := get(slug, "read the ruleset "+name, "/repos/{owner}/{repo}/rulesets/{ruleset_id}", strconv.FormatInt(all[i].ID, 10))
	var got rulesetResponse
	if _, err := c.send(ctx, k, nil, &got); err != nil {
		return 0, nil, err
	}
	if got.ID != all[i].ID || got.Enforcement == "" || got.Rules == nil {
		return 0, nil, k.fail(errors.New("the answer lacks the id, the enforcement or the rules"))
	}
	set := &settings.Ruleset{Enforcement: got.Enforcement, Include: got.Conditions.Ref.Include, Exclude: got.Conditions.Ref.Exclude, Rules: got.Rules, Bypass: got.Bypass}
	if len(set.Bypass) == 0 {
		set.Bypass = change.None
	}
	return got.ID, set, nil
}

// planAdvice is for settings that the plan of the owner may lack.
var planAdvice = map[int]string{
	http.StatusUnprocessableEntity: "private repositories need GitHub Enterprise for reviewers and wait timers: use a public repository, or remove gated and wait_timer in metapipe.yml, which lets applies run without a person",
}

// SetSetting implements settings.GitHub.
func (c *Client) SetSetting(ctx context.Context, slug pipeline.Slug, what string, from, to json.RawMessage) error {
	kind, name, known := settings.Split(what)
	if !known {
		return fmt.Errorf("setting %q is not known", what)
	}
	switch kind {
	case settings.Actions, settings.WorkflowPermissions:
		route := map[string]string{settings.Actions: "/repos/{owner}/{repo}/actions/permissions", settings.WorkflowPermissions: "/repos/{owner}/{repo}/actions/permissions/workflow"}[kind]
		k := write(http.MethodPut, slug, "set "+what, route)
		k.repeatable = true
		_, err := c.send(ctx, k, to, nil)
		return err
	case settings.VariableOf:
		return c.setVariable(ctx, slug, name, from, to)
	case settings.EnvironmentOf:
		return c.setEnvironment(ctx, slug, name, to)
	}
	return c.setRuleset(ctx, slug, name, to)
}

func (c *Client) setVariable(ctx context.Context, slug pipeline.Slug, name string, from, to json.RawMessage) error {
	if change.IsNone(to) {
		return c.remove(ctx, slug, "remove the variable "+name, "/repos/{owner}/{repo}/actions/variables/{name}", name)
	}
	var value string
	if err := json.Unmarshal(to, &value); err != nil {
		return err
	}
	k := write(http.MethodPatch, slug, "set the variable "+name, "/repos/{owner}/{repo}/actions/variables/{name}", name)
	if change.IsNone(from) {
		k = write(http.MethodPost, slug, "make the variable "+name, "/repos/{owner}/{repo}/actions/variables")
	}
	k.repeatable = !change.IsNone(from)
	_, err := c.send(ctx, k, map[string]string{"name": name, "value": value}, nil)
	return err
}

// remove removes something. What is gone already is removed.
func (c *Client) remove(ctx context.Context, slug pipeline.Slug, op, route string, args ...string) error {
	k := write(http.MethodDelete, slug, op, route, args...)
	k.repeatable = true
	_, err := c.send(ctx, k, nil, nil)
	if pipeline.NotVisible(err) {
		return nil
	}
	return err
}

// setEnvironment makes an environment or replaces its rules, and then adds and removes branches. Done again after an interruption
// it ends the same.
func (c *Client) setEnvironment(ctx context.Context, slug pipeline.Slug, name string, to json.RawMessage) error {
	if change.IsNone(to) {
		return c.remove(ctx, slug, fmt.Sprintf("remove environment %q", name), "/repos/{owner}/{repo}/environments/{environment_name}", name)
	}
	var e settings.Environment
	if err := json.Unmarshal(to, &e); err != nil {
		return err
	}
	body := map[string]any{"wait_timer": e.WaitTimer, "prevent_self_review": e.PreventSelfReview, "reviewers": e.Reviewers, "deployment_branch_policy": nil}
	if e.Branches != nil || e.Protected {
		body["deployment_branch_policy"] = map[string]bool{"protected_branches": e.Branches == nil, "custom_branch_policies": e.Branches != nil}
	}
	k := write(http.MethodPut, slug, fmt.Sprintf("set the rules of environment %q", name), "/repos/{owner}/{repo}/environments/{environment_name}", name)
	k.repeatable, k.advice = true, planAdvice
	if _, err := c.send(ctx, k, body, nil); err != nil || e.Branches == nil {
		return err
	}
	return c.setBranches(ctx, slug, name, e.Branches)
}

// setBranches adds and removes patterns of an environment with named branches.
func (c *Client) setBranches(ctx context.Context, slug pipeline.Slug, name string, want []string) error {
	const route = "/repos/{owner}/{repo}/environments/{environment_name}/deployment-branch-policies"
	type policy struct {
		ID         int64
		Name, Type string
	}
	have, err := listed[policy](ctx, c, get(slug, fmt.Sprintf("list the branches of environment %q", name), route, name), "branch_policies", maxPageSize)
	if err != nil {
		return err
	}
	missing := slices.Clone(want)
	for _, p := range have {
		pattern := p.Name
		if p.Type == "tag" {
			pattern = tagPattern + pattern
		}
		if slices.Contains(want, pattern) {
			missing = slices.DeleteFunc(missing, func(s string) bool { return s == pattern })
			continue
		}
		if err := c.remove(ctx, slug, fmt.Sprintf("keep %s from environment %q", pattern, name), route+"/{branch_policy_id}", name, strconv.FormatInt(p.ID, 10)); err != nil {
			return err
		}
	}
	for _, pattern := range missing {
		kind := "branch"
		plain, tag := strings.CutPrefix(pattern, tagPattern)
		if tag {
			kind = "tag"
		}
		k := write(http.MethodPost, slug, fmt.Sprintf("let %s deploy to environment %q", pattern, name), route, name)
		if _, err := c.send(ctx, k, map[string]string{"name": plain, "type": kind}, nil); err != nil {
			// GitHub leads elsewhere where the pattern is there already, and an answer can be lost.
			now, lookErr := c.DeploymentBranches(ctx, slug, name)
			if lookErr != nil || !slices.Contains(now, pattern) {
				return errors.Join(err, lookErr)
			}
		}
	}
	return nil
}

// tagPattern stands before the pattern of a tag.
const tagPattern = "tag:"

func (c *Client) setRuleset(ctx context.Context, slug pipeline.Slug, name string, to json.RawMessage) error {
	id, _, err := c.ruleset(ctx, slug, name)
	if err != nil {
		return err
	}
	at := strconv.FormatInt(id, 10)
	if change.IsNone(to) {
		if id == 0 {
			return nil
		}
		return c.remove(ctx, slug, "remove the ruleset "+name, "/repos/{owner}/{repo}/rulesets/{ruleset_id}", at)
	}
	var set settings.Ruleset
	if err := json.Unmarshal(to, &set); err != nil {
		return err
	}
	body := map[string]any{
		"name": name, "target": "branch", "enforcement": set.Enforcement, "rules": set.Rules,
		"conditions": map[string]any{"ref_name": map[string]any{"include": set.Include, "exclude": set.Exclude}},
	}
	if !change.IsNone(set.Bypass) && len(set.Bypass) > 0 {
		body["bypass_actors"] = set.Bypass
	}
	k := write(http.MethodPost, slug, "make the ruleset "+name, "/repos/{owner}/{repo}/rulesets")
	if id != 0 {
		k = write(http.MethodPut, slug, "set the ruleset "+name, "/repos/{owner}/{repo}/rulesets/{ruleset_id}", at)
		k.repeatable = true
	}
	_, err = c.send(ctx, k, body, nil)
	return err
}

// Person finds the account of a login.
func (c *Client) Person(ctx context.Context, login string) (pipeline.Account, error) {
	k := call{op: "find the account " + login, method: http.MethodGet, route: "/users/{username}", args: []string{login}, repeatable: true}
	var got struct {
		accountResponse
		Type string `json:"type"`
	}
	if _, err := c.send(ctx, k, nil, &got); err != nil {
		return pipeline.Account{}, err
	}
	if got.ID <= 0 || got.Type != "User" {
		return pipeline.Account{}, k.fail(errors.New("it is no person"))
	}
	return pipeline.Account{ID: got.ID, Login: got.Login}, nil
}
