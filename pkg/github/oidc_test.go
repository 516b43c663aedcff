package github_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/metapipe/metapipe/pkg/github"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// TestSubjectClaim: what GitHub does not say stays unknown.
func TestSubjectClaim(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	shop := pipeline.Slug{Owner: "acme", Name: "shop"}
	claim := must(w.client().SubjectClaim(t.Context(), shop))(t)
	if !claim.Default || claim.Prefix != "repo:acme/shop" || claim.Immutable == nil || *claim.Immutable {
		t.Errorf("%+v", claim)
	}
	w.customer.SetImmutableSubject(true)
	claim = must(w.client().SubjectClaim(t.Context(), shop))(t)
	if claim.Prefix == "repo:acme/shop" || !*claim.Immutable {
		t.Errorf("%+v", claim)
	}
	if _, err := w.client().SubjectClaim(t.Context(), pipeline.Slug{Owner: "acme", Name: "none"}); err == nil {
		t.Error("a repository that does not exist has a subject")
	}
	for _, answer := range []string{`{}`, `{"use_default": null}`, `{"use_immutable_subject": false}`} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, answer) }))
		t.Cleanup(server.Close)
		if claim, err := must(github.New(github.Options{BaseURL: server.URL, Token: "token"}))(t).SubjectClaim(t.Context(), shop); err == nil {
			t.Errorf("%s: %+v", answer, claim)
		}
	}
}
