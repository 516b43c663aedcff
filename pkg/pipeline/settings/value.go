package settings

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline/change"
)

// Kind is the kind of files with settings.
const Kind = "manager-settings"

// The names of settings. Environments, variables and rulesets have a name of their own behind it.
const (
	Actions             = "actions"
	WorkflowPermissions = "workflow-permissions"
	EnvironmentOf       = "environment "
	VariableOf          = "variable "
	RulesetOf           = "ruleset "
)

// Split is the kind of a setting, such as EnvironmentOf, and the name behind it. known is false for a name that no setting has.
func Split(what string) (kind, name string, known bool) {
	for _, kind := range []string{EnvironmentOf, VariableOf, RulesetOf} {
		if name, found := strings.CutPrefix(what, kind); found {
			return kind, name, name != ""
		}
	}
	return what, "", what == Actions || what == WorkflowPermissions
}

// Environment is the value of an environment.
type Environment struct {
	Reviewers         []Reviewer `json:"reviewers"`
	PreventSelfReview bool       `json:"prevent_self_review"`
	WaitTimer         int        `json:"wait_timer"` // minutes
	// Branches can deploy; null: see Protected. A tag has "tag:" before its pattern.
	Branches []string `json:"branches"`
	// Protected branches can deploy; else, without Branches, every branch can.
	Protected bool `json:"protected_branches"`
}

// Reviewer is a person or a team.
type Reviewer struct {
	Type string `json:"type"` // User or Team
	ID   int64  `json:"id"`
}

// ActionsValue is the value of Actions.
type ActionsValue struct {
	Enabled bool `json:"enabled"`
}

// WorkflowValue is the value of WorkflowPermissions.
type WorkflowValue struct {
	Token    string `json:"default_workflow_permissions"`
	Approves bool   `json:"can_approve_pull_request_reviews"`
}

// Ruleset is the value of a ruleset. Rules and bypass actors are as GitHub has them, of whatever type.
type Ruleset struct {
	Enforcement string            `json:"enforcement"`
	Include     []string          `json:"include"`
	Exclude     []string          `json:"exclude"`
	Rules       []json.RawMessage `json:"rules"`
	Bypass      json.RawMessage   `json:"bypass_actors"` // null: not shown
}

// Encode is a value in the form in which values are compared: lists that have no order are sorted.
func Encode(v any) (json.RawMessage, error) {
	switch x := v.(type) {
	case Environment:
		x.Reviewers = append([]Reviewer{}, x.Reviewers...)
		slices.SortFunc(x.Reviewers, func(a, b Reviewer) int {
			if a.Type != b.Type {
				return strings.Compare(a.Type, b.Type)
			}
			return int(a.ID - b.ID)
		})
		if x.Branches != nil {
			x.Branches = append([]string{}, x.Branches...)
			slices.Sort(x.Branches)
		}
		v = x
	case Ruleset:
		x.Include, x.Exclude = append([]string{}, x.Include...), append([]string{}, x.Exclude...)
		rules := []json.RawMessage{}
		for _, rule := range x.Rules {
			canonical, err := change.Canonical(rule)
			if err != nil {
				return nil, err
			}
			rules = append(rules, canonical)
		}
		slices.SortFunc(rules, func(a, b json.RawMessage) int { return strings.Compare(string(a), string(b)) })
		x.Rules = rules
		v = x
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return change.Canonical(raw)
}
