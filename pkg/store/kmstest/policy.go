package kmstest

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// policy is the part of the language of IAM that policies for KMS are written in.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
type policy struct {
	Statement []struct {
		Effect                string
		Action, NotAction     Texts
		Resource, NotResource Texts
		Condition             map[string]map[string]Texts
	}
}

// Texts is a string or a list of them, as IAM reads it.
type Texts []string

// UnmarshalJSON implements json.Unmarshaler.
func (l *Texts) UnmarshalJSON(b []byte) error {
	if strings.HasPrefix(string(b), `"`) {
		*l = make(Texts, 1)
		return json.Unmarshal(b, &(*l)[0])
	}
	return json.Unmarshal(b, (*[]string)(l))
}

// kmsRequest is what a caller wants to do.
type kmsRequest struct {
	action, arn string
	values      map[string][]string // of the keys of conditions
}

// allows evaluates one policy: a denial wins, and silence is one.
func allows(document string, a kmsRequest) (bool, error) {
	var p policy
	if err := json.Unmarshal([]byte(document), &p); err != nil {
		return false, fmt.Errorf("a policy: %w", err)
	}
	allowed := false
	for _, s := range p.Statement {
		holds, err := a.meets(s.Condition)
		if err != nil {
			return false, err
		}
		if !holds || !covers(s.Action, s.NotAction, a.action) || !covers(s.Resource, s.NotResource, a.arn) {
			continue
		}
		if s.Effect == "Deny" {
			return false, nil
		}
		allowed = true
	}
	return allowed, nil
}

func covers(patterns, not []string, value string) bool {
	if len(not) > 0 {
		return !likeAny(not, value)
	}
	return likeAny(patterns, value)
}

func likeAny(patterns []string, value string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool { return like(pattern, value) })
}

func like(pattern, value string) bool {
	expression := strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(pattern))
	return regexp.MustCompile("(?s)^" + expression + "$").MatchString(value)
}

// meets evaluates conditions, all of which must hold. One that is not known here
// is an error: a test must not pass by it.
func (a kmsRequest) meets(conditions map[string]map[string]Texts) (bool, error) {
	for operator, keys := range conditions {
		for key, want := range keys {
			holds, err := a.holds(operator, want, a.values[key])
			if err != nil || !holds {
				return false, err
			}
		}
	}
	return true, nil
}

func (a kmsRequest) holds(operator string, want, got []string) (bool, error) {
	operator, ifExists := strings.CutSuffix(operator, "IfExists")
	if ifExists && len(got) == 0 {
		return true, nil
	}
	operator = strings.TrimPrefix(operator, "ForAnyValue:")
	switch operator {
	case "StringEquals":
		return slices.ContainsFunc(got, func(value string) bool { return slices.Contains(want, value) }), nil
	case "StringNotEquals": // also where there is no value
		return !slices.ContainsFunc(got, func(value string) bool { return slices.Contains(want, value) }), nil
	case "StringLike":
		return slices.ContainsFunc(got, func(value string) bool { return likeAny(want, value) }), nil
	case "Null":
		return slices.Contains(want, fmt.Sprint(len(got) == 0)), nil
	}
	return false, fmt.Errorf("the double knows no condition %s", operator)
}
