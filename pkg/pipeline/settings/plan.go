package settings

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/change"
)

// GitHub is what settings ask of GitHub.
type GitHub interface {
	Repository(ctx context.Context, repo pipeline.Slug) (pipeline.Repository, error)
	// Setting reads a setting in the form of Encode; null: there is none.
	Setting(ctx context.Context, repo pipeline.Slug, what string) (json.RawMessage, error)
	// SetSetting brings a setting from one value to another; null: there is none. It can be done twice.
	SetSetting(ctx context.Context, repo pipeline.Slug, what string, from, to json.RawMessage) error
}

// Wanted is what the repository of a manager has to have.
type Wanted struct {
	Environments []pipeline.EnvironmentRule
	// Reviewers are added to the gates of gated environments.
	Reviewers []Reviewer
	// Variables of the repository.
	Variables map[string]string
}

// RulesetName is the ruleset that belongs to metapipe.
const RulesetName = "metapipe"

// The rules that keep the token of a customer from pushing to the default branch: a change needs a pull request that
// someone has approved, and the branch is neither removed nor rewritten.
var rules = []string{
	`{"type":"pull_request","parameters":{"required_approving_review_count":1,"dismiss_stale_reviews_on_push":true,"require_code_owner_review":false,"require_last_push_approval":false,"required_review_thread_resolution":false}}`,
	`{"type":"deletion"}`,
	`{"type":"non_fast_forward"}`,
}

// Planner makes the plan of a repository.
type Planner struct {
	GitHub GitHub
	Wanted Wanted
}

// Plan reads every setting, and says what it has to become. What is stricter, or not named here, stays.
func (p Planner) Plan(ctx context.Context, slug pipeline.Slug) (change.Plan, []string, error) {
	repository, err := p.GitHub.Repository(ctx, slug)
	if err != nil {
		return change.Plan{}, nil, err
	}
	if repository.Archived {
		return change.Plan{}, nil, pipeline.Usagef("%s is archived, so GitHub takes no settings", slug).Nextf("unarchive it")
	}
	place := change.Place{ID: repository.ID, Name: repository.Slug.String()}
	var out []change.Row
	var gated []string
	for _, w := range p.wishes(repository.DefaultBranch) {
		old, err := p.GitHub.Setting(ctx, repository.Slug, w.what)
		if err != nil {
			return change.Plan{}, nil, err
		}
		next, err := w.next(old)
		if err != nil {
			return change.Plan{}, nil, err
		}
		out = append(out, change.Row{Place: place, What: w.what, Old: old, New: next, Reason: w.reason})
		if w.gated {
			gated = append(gated, strings.TrimPrefix(w.what, EnvironmentOf))
		}
	}
	var notes []string
	if len(gated) > 0 {
		notes = append(notes, "GitHub's API cannot clear “Allow administrators to bypass configured protection rules”: clear it in Settings → Environments for "+strings.Join(gated, ", "))
	}
	return change.NewPlan(Kind, 1, out), notes, nil
}

// wish is one setting and how its next value comes from the present one.
type wish struct {
	what, reason string
	gated        bool
	next         func(old json.RawMessage) (json.RawMessage, error)
}

// wishes come in the order of the writes: what is harmless first.
func (p Planner) wishes(branch string) []wish {
	list := []wish{
		{what: Actions, reason: "workflows run in it", next: func(json.RawMessage) (json.RawMessage, error) { return Encode(ActionsValue{Enabled: true}) }},
		{what: WorkflowPermissions, reason: "each workflow names what it may do", next: func(json.RawMessage) (json.RawMessage, error) {
			return Encode(WorkflowValue{Token: "read"})
		}},
	}
	for _, name := range slices.Sorted(maps.Keys(p.Wanted.Variables)) {
		value := p.Wanted.Variables[name]
		list = append(list, wish{what: VariableOf + name, reason: "the workflows read it", next: func(json.RawMessage) (json.RawMessage, error) { return Encode(value) }})
	}
	for _, rule := range p.Wanted.Environments {
		list = append(list, wish{what: EnvironmentOf + string(rule.Name) + "-plan", reason: "plans run in it", next: plans(branch)})
		gate := wish{what: EnvironmentOf + string(rule.Name) + "-apply", reason: "applies wait for it", next: p.applies(rule, branch), gated: rule.Gated}
		list = append(list, gate)
	}
	return append(list, wish{what: RulesetOf + RulesetName, reason: "a token that sends requests could push to " + branch, next: ruleset})
}

// present reads the value of an environment; the zero one where there is none.
func present(old json.RawMessage) (e Environment, err error) {
	err = json.Unmarshal(old, &e)
	return e, err
}

// onlyFrom lets the default branch deploy, beside those that are named already.
func (e Environment) onlyFrom(branch string) Environment {
	if !slices.Contains(e.Branches, branch) {
		e.Branches = append(slices.Clone(e.Branches), branch)
	}
	e.Protected = false
	return e
}

func plans(branch string) func(json.RawMessage) (json.RawMessage, error) {
	return func(old json.RawMessage) (json.RawMessage, error) {
		e, err := present(old)
		if err != nil {
			return nil, err
		}
		return Encode(e.onlyFrom(branch))
	}
}

// applies adds what metapipe.yml asks of the gate.
func (p Planner) applies(rule pipeline.EnvironmentRule, branch string) func(json.RawMessage) (json.RawMessage, error) {
	return func(old json.RawMessage) (json.RawMessage, error) {
		e, err := present(old)
		if err != nil {
			return nil, err
		}
		e = e.onlyFrom(branch)
		e.WaitTimer = max(e.WaitTimer, int(rule.WaitTimer.Minutes()))
		e.PreventSelfReview = e.PreventSelfReview || rule.PreventSelfReview
		if rule.Gated {
			for _, r := range p.Wanted.Reviewers {
				if !slices.Contains(e.Reviewers, r) {
					e.Reviewers = append(e.Reviewers, r)
				}
			}
			if len(e.Reviewers) == 0 {
				return nil, pipeline.Usagef("%s is gated in metapipe.yml, and %s-apply has no reviewers", rule.Name, rule.Name).Nextf("name who approves with --reviewer LOGIN")
			}
			if len(e.Reviewers) > maxReviewers {
				return nil, pipeline.Usagef("%s-apply would have %d reviewers, and GitHub takes %d", rule.Name, len(e.Reviewers), maxReviewers).Nextf("name fewer, or a team in Settings → Environments")
			}
		}
		return Encode(e)
	}
}

// maxReviewers is how many an environment can have.
const maxReviewers = 6

// ruleset adds the rules that are missing. Rules of every other type stay, also of types that are not known here.
func ruleset(old json.RawMessage) (json.RawMessage, error) {
	set := Ruleset{Include: []string{"~DEFAULT_BRANCH"}, Bypass: json.RawMessage("[]")}
	if !change.IsNone(old) {
		if err := json.Unmarshal(old, &set); err != nil {
			return nil, err
		}
	}
	set.Enforcement = "active"
	if !slices.Contains(set.Include, "~DEFAULT_BRANCH") && !slices.Contains(set.Include, "~ALL") {
		set.Include = append(set.Include, "~DEFAULT_BRANCH")
	}
	has := map[string]bool{}
	for _, rule := range set.Rules {
		kind, err := typeOf(rule)
		if err != nil {
			return nil, err
		}
		has[kind] = true
	}
	for _, rule := range rules {
		if kind, err := typeOf(json.RawMessage(rule)); err != nil {
			return nil, err
		} else if !has[kind] {
			set.Rules = append(set.Rules, json.RawMessage(rule))
		}
	}
	return Encode(set)
}

func typeOf(rule json.RawMessage) (string, error) {
	var named struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(rule, &named); err != nil || named.Type == "" {
		return "", fmt.Errorf("a rule of the ruleset %s has no type", RulesetName)
	}
	return named.Type, nil
}

// FromFile is the plan of a file, such as the one that takes back an earlier run.
func FromFile(f change.File, repo pipeline.Slug) (change.Plan, error) {
	var out []change.Row
	for _, in := range f.Rows {
		row := in.Row()
		if _, _, known := Split(row.What); !known {
			return change.Plan{}, pipeline.Usagef("the file has a setting that is not known: %s", pipeline.Quote(row.What))
		}
		if !strings.EqualFold(row.Name, repo.String()) {
			return change.Plan{}, pipeline.Usagef("the file is for %s, and --github names %s", row.Name, repo)
		}
		out = append(out, row)
	}
	return change.NewPlan(Kind, 1, out), nil
}
