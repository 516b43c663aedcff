package hub_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// FuzzServeHTTP: whatever is sent, the answer is well-formed and no 500.
func FuzzServeHTTP(f *testing.F) {
	const repo = "/repos/acme/shop"
	for _, seed := range [][3]string{
		{"GET", repo + "/contents/infra/variables.yml?ref=main", ""}, {"GET", repo + "/compare/main...topic", ""},
		{"GET", repo + "/commits/heads/main/status?per_page=-1&page=99", ""}, {"GET", "/repositories/4711/pulls?state=all", ""},
		{"POST", repo + "/statuses/main", `{"state":"success","description":null}`}, {"GET", repo + "/git/trees/main?recursive", ""},
		{"POST", repo + "/dispatches", `{"event_type":"x","client_payload":{"a":[]}}`}, {"PATCH", repo + "/issues/1", `{"labels":["a"]}`},
		{"POST", repo + "/issues/1/labels", `["a"]`}, {"POST", repo + "/labels", `{"name":"n","color":"zz"}`},
		{"POST", repo + "/deployments", `{"ref":"topic","payload":"{}"}`}, {"POST", repo + "/deployments/1/statuses", `{"state":"x"}`},
		{"POST", repo + "/actions/runs/9000000001/pending_deployments", `{"environment_ids":["1"],"state":"approved","comment":""}`},
		{"POST", repo + "/actions/workflows/infra.yml/dispatches", `{"ref":"main","inputs":{"a":{}}}`}, {"GET", repo + "/actions/runs?created=2026..", ""},
		{"POST", repo + "/issues/1/comments", `{"body":"\u0000"}`}, {"GET", "//%2e%2e/%zz", ""}, {"GET", "/_raw/acme/shop/main/../x", ""},
		{"POST", "/graphql", `{"query":"{repository(owner:\"acme\",name:\"shop\"){defaultBranchRef{name}object(expression:\"topic:infra\"){__typename ...on Tree{entries{name type}}}}}"}`},
		{"POST", "/graphql", `{"query":"query($n:Int!$c:String){organization(login:\"guild\"){repositories(first:$n,after:$c){nodes{databaseId}pageInfo{endCursor}}teams(first:1){nodes{slug}}}}","variables":{"n":1e3,"c":"Y3Vyc29yOnYyOg=="}}`},
		{"GET", "/_services/idtoken/1/x", ""}, {"HEAD", "/user", ""}, {"GET", repo + "/environments/infra%2Fx", ""},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, method, target, body string) {
		u, err := url.ParseRequestURI(target)
		if err != nil || !strings.HasPrefix(target, "/") {
			return
		}
		h, secret := smallFixture(t)
		req := &http.Request{Method: method, URL: u, Header: http.Header{}, Body: http.NoBody}
		if body != "" {
			req.Body = httptest.NewRequest("POST", "/", strings.NewReader(body)).Body
		}
		req.Header.Set("Authorization", "Bearer "+secret)
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, req)
		if rec.Code >= 500 {
			t.Errorf("%s %s: %d %s", method, target, rec.Code, rec.Body)
		}
		if strings.HasPrefix(rec.Header().Get("Content-Type"), "application/json") && method != "HEAD" && !json.Valid(rec.Body.Bytes()) {
			t.Errorf("%s %s: not JSON: %s", method, target, rec.Body)
		}
		got(json.Marshal(h.Snapshot()))(t)
	})
}

func smallFixture(t *testing.T) (*hub.Server, string) {
	h := hub.New(hub.Options{})
	got(h.AddUser(hub.User{Login: "acme"}))(t)
	got(h.AddUser(hub.User{Login: "guild", Type: hub.Organization}))(t)
	got(h.AddRepo("guild", "hall", hub.RepoOptions{}))(t)
	r := got(h.AddRepo("acme", "shop", hub.RepoOptions{ID: 4711, Private: true}))(t)
	head := got(r.Commit("main", hub.Change{Files: map[string]hub.File{"infra/variables.yml": {Content: []byte("a: 1\n")}}}))(t)
	got(r.Commit("topic", hub.Change{Files: map[string]hub.File{"link": {Content: []byte("infra"), Mode: hub.ModeSymlink}}}))(t)
	got(r.OpenPull(hub.NewPull{Title: "T", Author: "acme", Head: "topic"}))(t)
	good(t, r.AddWorkflow(hub.Workflow{Path: workflowPath, Dispatches: []string{}, Manual: true, Inputs: []hub.Input{{Name: "a"}}}))
	good(t, r.SetEnvironment("infra/x", hub.EnvironmentRules{Reviewers: []string{"acme"}}))
	run := got(r.StartRun(hub.NewRun{Event: "push", Path: workflowPath, HeadSHA: head, HeadBranch: "main", Actor: "acme"}))(t)
	got(r.EnterEnvironment(run.ID, "job", "infra/x"))(t)
	return h, got(h.AddToken(hub.Token{Name: "t", Kind: hub.Classic, User: "acme", Scopes: []string{"repo"}}))(t).Secret
}
