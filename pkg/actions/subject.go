package actions

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/text"
)

// Subject is the form of the claim sub in the ID tokens of one repository: what stands
// before and after the context of the job, which is Branch or InEnvironment.
// Source: https://docs.github.com/actions/reference/security/oidc
type Subject struct{ Before, After string }

// Of returns the claim for a context.
func (s Subject) Of(name string) string { return s.Before + name + s.After }

// Branch is the context of a job without an environment, on a branch.
func Branch(name string) string { return "ref:refs/heads/" + name }

// InEnvironment is the context of a job in an environment.
func InEnvironment(name string) string { return "environment:" + strings.ReplaceAll(name, ":", "%3A") }

// subjectPrefix is the default form, with ids or without.
var subjectPrefix = text.Pattern(`^repo:([^/@:*?]+)(@[0-9]+)?/([^/@:*?]+)(@[0-9]+)?$`)

// NewSubject returns the form of a repository, from what GitHub says about it. Where
// that does not determine the claim, it is an error: a guess would let another
// repository in, or no one.
func NewSubject(r pipeline.Repository, claim pipeline.SubjectClaim) (Subject, error) {
	if !claim.Default {
		return customSubject(r, claim)
	}
	if claim.Prefix != "" {
		return ParseSubject(r, claim.Prefix)
	}
	if claim.Immutable == nil {
		return Subject{}, unknownSubject(r, "GitHub does not say whether its ID tokens name the repository by ids")
	}
	if *claim.Immutable {
		return Subject{}, unknownSubject(r, "GitHub names the repository by ids in its ID tokens, and does not say how")
	}
	return Subject{Before: "repo:" + r.Slug.String() + ":"}, nil
}

// ParseSubject reads the default form up to the context, such as
// repo:octo-org@1234/infra@5678.
func ParseSubject(r pipeline.Repository, prefix string) (Subject, error) {
	prefix = strings.TrimSuffix(prefix, ":")
	m := subjectPrefix().FindStringSubmatch(prefix)
	if m == nil || !strings.EqualFold(m[1]+"/"+m[3], r.Slug.String()) || m[4] != "" && r.ID != 0 && m[4] != "@"+strconv.FormatInt(r.ID, 10) {
		return Subject{}, unknownSubject(r, fmt.Sprintf("%q is no subject of this repository", prefix))
	}
	if (m[2] == "") != (m[4] == "") {
		return Subject{}, unknownSubject(r, fmt.Sprintf("%q has one id of two", prefix))
	}
	return Subject{Before: prefix + ":"}, nil
}

// customSubject is for a repository that names the claims of its subject itself.
func customSubject(r pipeline.Repository, claim pipeline.SubjectClaim) (Subject, error) {
	if !slices.Contains(claim.Keys, "context") {
		return Subject{}, customError(r, "it lacks `context`, so a role cannot distinguish an apply from another job")
	}
	var before, after []string
	identity, part := false, &before
	for _, key := range claim.Keys {
		switch key {
		case "context":
			part = &after
			continue
		case "repo", "repository":
			if claim.Immutable == nil && key == "repo" || claim.Immutable != nil && *claim.Immutable {
				return Subject{}, customError(r, fmt.Sprintf("it names `%s`, which may hold ids or not", key))
			}
			*part = append(*part, key+":"+r.Slug.String())
			identity = true
		case "repository_id":
			*part = append(*part, key+":"+strconv.FormatInt(r.ID, 10))
			identity = true
		case "repository_owner":
			*part = append(*part, key+":"+r.Owner)
		default:
			return Subject{}, customError(r, fmt.Sprintf("metapipe does not know the value of `%s`", key))
		}
	}
	if !identity {
		return Subject{}, customError(r, "it names no repository")
	}
	s := Subject{Before: strings.Join(append(before, ""), ":")}
	if len(after) > 0 {
		s.After = ":" + strings.Join(after, ":")
	}
	return s, nil
}

func unknownSubject(r pipeline.Repository, why string) error {
	return pipeline.Usagef("the subject of the ID tokens of %s is not known: %s", r.Slug, why).
		Nextf("give --subject what the claim `sub` of a job of this repository has before `:ref:` or `:environment:`, such as repo:%s or "+
			"repo:OWNER@ID/NAME@ID", r.Slug.String())
}

func customError(r pipeline.Repository, why string) error {
	return pipeline.Usagef("%s has a subject of its own for ID tokens, and %s", r.Slug, why).
		Nextf("use the default one (`gh api -X PUT repos/%s/actions/oidc/customization/sub -F use_default=true`), or the keys "+
			"repository_id and context", r.Slug)
}
