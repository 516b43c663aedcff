package actions_test

import (
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/actions"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// TestSubject: only what GitHub says decides about the subject of a trust policy.
func TestSubject(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	repository := pipeline.Repository{Slug: pipeline.Slug{Owner: "Octo", Name: "infra"}, ID: 42}
	for name, c := range map[string]struct {
		claim pipeline.SubjectClaim
		want  string // for the environment live
		fails string
	}{
		"ids by their prefix":    {pipeline.SubjectClaim{Default: true, Immutable: &yes, Prefix: "repo:octo@7/infra@42"}, "repo:octo@7/infra@42:environment:live", ""},
		"names by their prefix":  {pipeline.SubjectClaim{Default: true, Prefix: "repo:Octo/infra:"}, "repo:Octo/infra:environment:live", ""},
		"names":                  {pipeline.SubjectClaim{Default: true, Immutable: &no}, "repo:Octo/infra:environment:live", ""},
		"ids without a prefix":   {pipeline.SubjectClaim{Default: true, Immutable: &yes}, "", "does not say how"},
		"nothing said":           {pipeline.SubjectClaim{Default: true}, "", "does not say whether"},
		"another repository":     {pipeline.SubjectClaim{Default: true, Prefix: "repo:octo@7/other@42"}, "", "no subject of this repository"},
		"another id":             {pipeline.SubjectClaim{Default: true, Prefix: "repo:octo@7/infra@43"}, "", "no subject of this repository"},
		"one id":                 {pipeline.SubjectClaim{Default: true, Prefix: "repo:octo/infra@42"}, "", "one id of two"},
		"a wildcard":             {pipeline.SubjectClaim{Default: true, Prefix: "repo:octo/*"}, "", "no subject of this repository"},
		"own, by id":             {pipeline.SubjectClaim{Keys: []string{"repository_id", "context"}}, "repository_id:42:environment:live", ""},
		"own, context first":     {pipeline.SubjectClaim{Keys: []string{"context", "repository_owner", "repository_id"}}, "environment:live:repository_owner:Octo:repository_id:42", ""},
		"own, by name":           {pipeline.SubjectClaim{Keys: []string{"repo", "context"}, Immutable: &no}, "repo:Octo/infra:environment:live", ""},
		"own, by a name or ids":  {pipeline.SubjectClaim{Keys: []string{"repo", "context"}}, "", "may hold ids or not"},
		"own, without context":   {pipeline.SubjectClaim{Keys: []string{"repository_id"}}, "", "lacks `context`"},
		"own, no repository":     {pipeline.SubjectClaim{Keys: []string{"repository_owner", "context"}}, "", "names no repository"},
		"own, of unknown values": {pipeline.SubjectClaim{Keys: []string{"repository_id", "context", "actor"}}, "", "does not know the value of `actor`"},
		"own, of nothing":        {pipeline.SubjectClaim{}, "", "lacks `context`"},
	} {
		got, err := actions.NewSubject(repository, c.claim)
		switch {
		case c.fails != "":
			if err == nil || !strings.Contains(err.Error(), c.fails) {
				t.Errorf("%s: %v, %v", name, got, err)
			}
		case err != nil || got.Of(actions.InEnvironment("live")) != c.want:
			t.Errorf("%s: %q, %v", name, got.Of(actions.InEnvironment("live")), err)
		}
	}
}
