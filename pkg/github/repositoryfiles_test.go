package github_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/compliance"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub/hubtest"
)

// questions asks for infra/variables.yml of n repositories of acme.
func (w *fixture) questions(n int) []compliance.FileQuestion {
	w.t.Helper()
	var files []compliance.FileQuestion
	for i := range n {
		name := fmt.Sprintf("r%04d", i)
		files = append(files, compliance.FileQuestion{Repository: pipeline.Slug{Owner: "acme", Name: name}, ID: must(w.hub.Repo("acme/" + name))(w.t).ID(), Path: "infra/variables.yml"})
	}
	return files
}

// TestFiles: files of many repositories come with one call for each 50, in the order of the questions. What is not
// there is gone; what is not shown whole, or of another repository, is not known.
func TestFiles(t *testing.T) {
	t.Parallel()
	w := newOrganization(t, 120)
	for i := range 120 {
		repo := must(w.hub.Repo(fmt.Sprintf("acme/r%04d", i)))(t)
		must(repo.Commit("main", hub.Change{Message: "Ask", Files: map[string]hub.File{"infra/variables.yml": {Content: []byte(fmt.Sprint("name: r", i))}}}))(t)
	}
	files := w.questions(120)
	files[7].Path = "infra/none.yml"
	files[8].ID = 1
	files[9].Path = "infra"
	binary, large := must(w.hub.Repo("acme/r0010"))(t), must(w.hub.Repo("acme/r0011"))(t)
	must(binary.Commit("main", hub.Change{Message: "Ask", Files: map[string]hub.File{"infra/variables.yml": {Content: []byte("a\x00b")}}}))(t)
	must(large.Commit("main", hub.Change{Message: "Ask", Files: map[string]hub.File{"infra/variables.yml": {Content: []byte(strings.Repeat("# long\n", 100_000))}}}))(t)
	files[12].Repository.Name = "none-such"
	w.hub.ResetCalls()
	answers := w.client().Files(t.Context(), files)
	if calls := len(w.hub.Calls()); calls != 3 {
		t.Errorf("%d calls", calls)
	}
	for i, a := range answers {
		switch {
		case i == 7:
			if !a.Gone || a.Err != nil {
				t.Errorf("%d: %+v", i, a)
			}
		case i >= 8 && i <= 12:
			if a.Err == nil || a.Gone || a.Content != nil {
				t.Errorf("%d: %+v", i, a)
			}
		case a.Err != nil || string(a.Content) != fmt.Sprint("name: r", i):
			t.Errorf("%d: %+v", i, a)
		}
	}
}

// TestFilesThatAreTooMany: what GitHub does not manage at once is asked for in smaller parts, and what it does not manage
// alone is not known.
func TestFilesThatAreTooMany(t *testing.T) {
	t.Parallel()
	w := newOrganization(t, 8)
	w.hub.Fail(hubtest.Matcher{Method: http.MethodPost, Route: "/graphql"}, hubtest.Fault{Status: 502}, 2)
	for i, a := range w.client().Files(t.Context(), w.questions(8)) {
		if a.Err != nil || a.Gone {
			t.Errorf("%d: %+v", i, a)
		}
	}
	w.hub.Fail(hubtest.Matcher{Method: http.MethodPost, Route: "/graphql"}, hubtest.Fault{Status: 403, Message: "Resource not accessible"}, 1000)
	for i, a := range w.client().Files(t.Context(), w.questions(8)) {
		if a.Err == nil {
			t.Errorf("%d: %+v", i, a)
		}
	}
}
