package github_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/metapipe/metapipe/pkg/github"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// record keeps the JSON bodies it was sent.
func record(bodies *[]map[string]any, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var body map[string]any
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			answer(400, `{"message":"not JSON"}`)(w, r)
			return
		}
		*bodies = append(*bodies, body)
		next(w, r)
	}
}

func TestStatuses(t *testing.T) {
	t.Parallel()
	s := serve(t, map[string]http.HandlerFunc{"GET /repos/acme/shop/commits/" + string(shaA) + "/status": paged(map[int]string{
		1: `{"state":"pending","statuses":[{"context":"infra/x","state":"pending","description":"d","target_url":"https://x","created_at":"2026-03-01T10:00:00Z"}]}`,
		2: `{"state":"pending","statuses":[{"context":"INFRA/X","state":"failure"},{"context":"ci","state":"success","description":null}]}`,
	})})
	got, err := s.client(t).Statuses(t.Context(), acme, shaA)
	if err != nil || len(got) != 2 || got[0].State != pipeline.StatusPending || got[0].CreatedAt.IsZero() || got[1].Context != "ci" {
		t.Errorf("got %+v, %v", got, err)
	}
}

// TestCommitStatuses: the repository of the answer is the one that the commit is in now,
// and an answer without it is none.
func TestCommitStatuses(t *testing.T) {
	t.Parallel()
	path := "GET /repos/acme/shop/commits/" + string(shaA) + "/status"
	const list = `"statuses":[{"context":"infra/x","state":"pending"}]`
	for body, want := range map[string]string{
		`{` + list + `,"repository":{"id":7,"full_name":"acme/store"}}`: "acme/store",
		`{` + list + `,"repository":{"id":7,"full_name":"x"}}`:          "",
		`{` + list + `,"repository":{"full_name":"acme/store"}}`:        "",
		`{` + list + `,"repository":null}`:                              "",
		`{` + list + `}`:                                                "",
	} {
		got, err := serve(t, map[string]http.HandlerFunc{path: answer(200, body)}).client(t).CommitStatuses(t.Context(), acme, shaA)
		switch {
		case want == "" && (err == nil || got.List != nil):
			t.Errorf("%s: %+v", body, got)
		case want != "" && (err != nil || got.Repository.String() != want || got.Repository.ID != 7 || len(got.List) != 1):
			t.Errorf("%s: %+v, %v", body, got, err)
		}
	}
}

// TestStatusesAreNeverRemembered: who waits for a status sees what GitHub has.
func TestStatusesAreNeverRemembered(t *testing.T) {
	t.Parallel()
	s := serve(t, map[string]http.HandlerFunc{
		"GET /repos/acme/shop/commits/" + string(shaA) + "/status": serialized(answer(200, `{"statuses":[{"context":"a","state":"pending"}]}`), answer(200, `{"statuses":[{"context":"a","state":"success"}]}`)),
		"POST /repos/acme/shop/statuses/" + string(shaA):           answer(201, `{}`),
	})
	c := s.client(t)
	for _, want := range []pipeline.StatusState{"pending", "success"} {
		got, err := c.Statuses(t.Context(), acme, shaA)
		if err != nil || len(got) != 1 || got[0].State != want {
			t.Errorf("%+v, %v, want %s", got, err, want)
		}
		if err := c.SetStatus(t.Context(), acme, shaA, pipeline.Status{Context: "a", State: "failure"}, got); err != nil {
			t.Error(err)
		}
	}
	if len(s.seen) != 4 {
		t.Errorf("asked %v", s.seen)
	}
}

// TestAuthorOfAWriteIsKnown: what was written names its author, who need not be asked for.
func TestAuthorOfAWriteIsKnown(t *testing.T) {
	t.Parallel()
	for creator, want := range map[string]string{`{"id":9,"login":"kim"}`: "kim", `null`: "asked"} {
		s := serve(t, map[string]http.HandlerFunc{
			"POST /repos/acme/shop/statuses/" + string(shaA): answer(201, `{"creator":`+creator+`}`),
			"GET /user": answer(200, `{"id":9,"login":"asked"}`),
		})
		c := s.client(t)
		if err := c.SetStatus(t.Context(), acme, shaA, pipeline.Status{Context: "a", State: "pending"}, nil); err != nil {
			t.Fatal(err)
		}
		if got, err := c.Login(t.Context()); err != nil || got != want {
			t.Errorf("%s: %q, %v", creator, got, err)
		}
	}
}

func TestSetStatus(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ä", 200)
	for name, tc := range map[string]struct {
		status pipeline.Status
		want   map[string]any // nil: nothing is written
		fails  bool
	}{
		"same as the newest": {status: pipeline.Status{Context: "infra/X", State: "pending", Description: "waiting", TargetURL: "https://x/1"}},
		"other state": {status: pipeline.Status{Context: "infra/x", State: "success", Description: "waiting", TargetURL: "https://x/1"},
			want: map[string]any{"context": "infra/x", "state": "success", "description": "waiting", "target_url": "https://x/1"}},
		"long": {status: pipeline.Status{Context: "c", State: "error", Description: long},
			want: map[string]any{"context": "c", "state": "error", "description": strings.Repeat("ä", 139) + "…"}},
		"lines and emoji": {status: pipeline.Status{Context: "c", State: "error", Description: "a\n\tb \U0001F41B c\x00"},
			want: map[string]any{"context": "c", "state": "error", "description": "a b \uFFFD c"}},
		"unknown state": {status: pipeline.Status{Context: "c", State: "done"}, fails: true},
		"no context":    {status: pipeline.Status{State: "error"}, fails: true},
		"bad link":      {status: pipeline.Status{Context: "c", State: "error", TargetURL: "javascript:alert(1)"}, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var bodies []map[string]any
			s := serve(t, map[string]http.HandlerFunc{
				"GET /repos/acme/shop/commits/" + string(shaA) + "/status": answer(200, `{"statuses":[{"context":"infra/x","state":"pending","description":"waiting","target_url":"https://x/1"}]}`),
				"POST /repos/acme/shop/statuses/" + string(shaA):           record(&bodies, serialized(answer(502, `{}`), answer(201, `{}`))),
			})
			known := []pipeline.Status{{Context: "infra/x", State: "pending", Description: "waiting", TargetURL: "https://x/1"}}
			err := s.client(t).SetStatus(t.Context(), acme, shaA, tc.status, known)
			if (err != nil) != tc.fails {
				t.Fatal(err)
			}
			if tc.want == nil {
				if len(bodies) != 0 {
					t.Errorf("wrote %v", bodies)
				}
				return
			}
			if len(bodies) != 2 { // the first answer is a 502
				t.Fatalf("sent %d times", len(bodies))
			}
			if diff := cmp.Diff(tc.want, bodies[1]); diff != "" {
				t.Error(diff)
			}
			if d := bodies[1]["description"].(string); utf8.RuneCountInString(d) > 140 {
				t.Errorf("%d characters", utf8.RuneCountInString(d))
			}
		})
	}
}

func TestComments(t *testing.T) {
	t.Parallel()
	s := serve(t, map[string]http.HandlerFunc{
		"GET /repos/acme/shop/issues/3/comments": paged(map[int]string{
			1: `[{"id":1,"user":{"login":"kim"},"body":"a","updated_at":"2026-03-01T10:00:00Z"}]`, 2: `[{"id":2,"user":null,"body":"b"}]`,
		}),
		"DELETE /repos/acme/shop/issues/comments/1": answer(204, ""),
		"DELETE /repos/acme/shop/issues/comments/3": answer(403, `{"message":"no"}`),
		"GET /repos/acme/shop/pulls":                answer(200, `[]`),
	})
	c := s.client(t)
	got, err := c.Comments(t.Context(), acme, 3)
	if err != nil || len(got) != 2 || got[0].Author != "kim" || got[1].Author != "" || got[1].Body != "b" {
		t.Errorf("got %+v, %v", got, err)
	}
	for id, fails := range map[int64]bool{1: false, 2: false, 3: true} {
		if err := c.DeleteComment(t.Context(), acme, id); (err != nil) != fails {
			t.Errorf("delete %d: %v", id, err)
		}
	}
}

// TestDeleteCommentUnseen: where nothing of the repository is to be seen, "not found" says
// nothing about the comment.
func TestDeleteCommentUnseen(t *testing.T) {
	t.Parallel()
	c := serve(t, map[string]http.HandlerFunc{}).client(t)
	if err := c.DeleteComment(t.Context(), acme, 2); !pipeline.NotVisible(err) {
		t.Errorf("err = %v", err)
	}
}

const (
	request1 = pipeline.RequestID("11111111-1111-5111-8111-111111111111")
	request2 = pipeline.RequestID("22222222-2222-5222-8222-222222222222")
)

func deployment(id int, at, payload string) string {
	return fmt.Sprintf(`{"id":%d,"sha":%q,"ref":"x","environment":"infra/staging","created_at":%q,"payload":%s}`, id, shaA, at, payload)
}

func TestDeployments(t *testing.T) {
	t.Parallel()
	quoted, err := json.Marshal(`{"request":"` + string(request2) + `"}`)
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, map[string]http.HandlerFunc{
		"GET /repos/acme/shop/deployments": func(w http.ResponseWriter, r *http.Request) {
			if q := r.URL.Query(); q.Get("sha") != string(shaA) || q.Get("environment") != "infra/staging" {
				t.Errorf("asked for %v", q)
			}
			answer(200, "["+strings.Join([]string{
				deployment(1, "2026-03-01T10:00:00Z", `{"request":"`+string(request1)+`","outputs":{"url":"\"x\""}}`),
				deployment(3, "2026-03-01T12:00:00Z", `{"request":[1]}`),
				deployment(2, "2026-03-01T11:00:00Z", string(quoted)),
				`{"id":9,"sha":"` + string(shaB) + `","environment":"infra/staging"}`,
			}, ",")+"]")(w, r)
		},
		"GET /repos/acme/shop/deployments/{id}/statuses": func(w http.ResponseWriter, r *http.Request) {
			if r.PathValue("id") == "3" {
				answer(200, `[]`)(w, r)
				return
			}
			answer(200, `[{"state":"inactive","log_url":"https://x/`+r.PathValue("id")+`"},{"state":"success"}]`)(w, r)
		},
	})
	got, err := s.client(t).Deployments(t.Context(), acme, shaA, "infra/staging")
	if err != nil {
		t.Fatal(err)
	}
	want := []pipeline.Deployment{
		{ID: 3, SHA: shaA, Ref: "x", Environment: "infra/staging"},
		{ID: 2, SHA: shaA, Ref: "x", Environment: "infra/staging", State: "inactive", LogURL: "https://x/2", Payload: pipeline.DeploymentPayload{Request: request2}},
		{ID: 1, SHA: shaA, Ref: "x", Environment: "infra/staging", State: "inactive", LogURL: "https://x/1",
			Payload: pipeline.DeploymentPayload{Request: request1, Outputs: map[string]string{"url": `"x"`}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestCreateDeployment(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		state         string // of the deployment of request 1 that exists; "-" for none
		posted, id    int
		statusChanges int
		first         bool // the deployment of request 1 must not be looked for
	}{
		"first":          {state: "success", posted: 1, id: 5, statusChanges: 1, first: true},
		"new":            {state: "-", posted: 1, id: 5, statusChanges: 1},
		"done before":    {state: "success", posted: 0, id: 1, statusChanges: 0},
		"left half-done": {state: "", posted: 0, id: 1, statusChanges: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var created, states []map[string]any
			list := "[" + deployment(2, "2026-03-01T11:00:00Z", `{"request":"`+string(request2)+`"}`) + "]"
			if tc.state != "-" {
				list = "[" + deployment(1, "2026-03-01T10:00:00Z", `{"request":"`+string(request1)+`"}`) + "," + list[1:]
			}
			statuses := `[]`
			if tc.state != "" {
				statuses = `[{"state":"` + tc.state + `"}]`
			}
			s := serve(t, map[string]http.HandlerFunc{
				"GET /repos/acme/shop/deployments":                answer(200, list),
				"POST /repos/acme/shop/deployments":               record(&created, answer(201, `{"id":5}`)),
				"GET /repos/acme/shop/deployments/1/statuses":     answer(200, statuses),
				"POST /repos/acme/shop/deployments/{id}/statuses": record(&states, answer(201, `{}`)),
			})
			id, err := s.client(t).CreateDeployment(t.Context(), acme, pipeline.Deployment{
				SHA: shaA, Ref: "main", Environment: "infra/staging", Description: strings.Repeat("d", 150), LogURL: "https://x", First: tc.first,
				Payload: pipeline.DeploymentPayload{Request: request1, Outcome: pipeline.OutcomeApplied},
			})
			if err != nil || int(id) != tc.id || len(created) != tc.posted || len(states) != tc.statusChanges {
				t.Fatalf("id %d, %d created, %d states, %v", id, len(created), len(states), err)
			}
			if len(created) == 1 {
				got := created[0]
				contexts, ok := got["required_contexts"].([]any)
				if got["ref"] != string(shaA) || got["task"] != "deploy:infra" || got["auto_merge"] != false || !ok || len(contexts) != 0 ||
					len([]rune(got["description"].(string))) != 140 || got["payload"].(map[string]any)["request"] != string(request1) {
					t.Errorf("created %v", got)
				}
			}
			if len(states) == 1 && (states[0]["state"] != "success" || states[0]["log_url"] != "https://x" || states[0]["environment"] != "infra/staging") {
				t.Errorf("state %v", states[0])
			}
		})
	}
}

func TestDispatch(t *testing.T) {
	t.Parallel()
	var bodies []map[string]any
	s := serve(t, map[string]http.HandlerFunc{"POST /repos/acme/manager/dispatches": record(&bodies, answer(204, ""))})
	c := s.client(t)
	manager := pipeline.Slug{Owner: "acme", Name: "manager"}
	if err := c.Dispatch(t.Context(), manager, "deploy", json.RawMessage(`{"a": {"b": 1}}`)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]map[string]any{{"event_type": "deploy", "client_payload": map[string]any{"a": map[string]any{"b": 1.0}}}}, bodies); diff != "" {
		t.Error(diff)
	}
	eleven := `{"0":0,"1":0,"2":0,"3":0,"4":0,"5":0,"6":0,"7":0,"8":0,"9":0,"10":0}`
	for name, tc := range map[string]struct{ event, payload, want string }{
		"no type":        {"", `{}`, "0 characters"},
		"long type":      {strings.Repeat("x", 101), `{}`, "101 characters"},
		"array":          {"e", `[]`, "not a JSON object"},
		"null":           {"e", `null`, "not a JSON object"},
		"empty":          {"e", ``, "not a JSON object"},
		"eleven":         {"e", eleven, "11 top-level"},
		"64 KiB":         {"e", `{"a":"` + strings.Repeat("x", 64<<10-8) + `"}`, "65536 bytes"},
		"just too large": {"e", `{"a":"` + strings.Repeat("x", 70000) + `"}`, "bytes"},
	} {
		if err := c.Dispatch(t.Context(), manager, tc.event, json.RawMessage(tc.payload)); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q", name, err, tc.want)
		}
	}
	if len(bodies) != 1 {
		t.Errorf("%d requests were sent", len(bodies))
	}
}

func TestLogin(t *testing.T) {
	t.Parallel()
	denied := answer(403, `{"message":"Resource not accessible by integration"}`)
	for name, tc := range map[string]struct {
		user, graphql http.HandlerFunc
		want          string
		fails         bool
	}{
		"user":         {answer(200, `{"login":"kim"}`), nil, "kim", false},
		"app":          {denied, answer(200, `{"data":{"viewer":{"login":"metapipe[bot]"}}}`), "metapipe[bot]", false},
		"no graphql":   {denied, nil, "github-actions[bot]", false},
		"graphql mute": {denied, answer(200, `{"errors":[{"message":"no"}]}`), "github-actions[bot]", false},
		"invalid":      {answer(401, `{"message":"Bad credentials"}`), nil, "", true},
		"empty":        {answer(200, `{}`), nil, "", true},
		"rate limit":   {answer(403, `{}`, "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "1772370000"), nil, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, prefix := range []string{"", "/api/v3"} {
				routes := map[string]http.HandlerFunc{"GET " + prefix + "/user": tc.user}
				if tc.graphql != nil {
					routes["POST "+strings.TrimSuffix(prefix, "/v3")+"/graphql"] = tc.graphql
				}
				s := serve(t, routes)
				c := s.client(t, func(o *github.Options) { o.BaseURL = s.URL + prefix })
				for range 2 {
					got, err := c.Login(t.Context())
					if got != tc.want || (err != nil) != tc.fails {
						t.Errorf("got %q, %v", got, err)
					}
				}
				if !tc.fails && len(s.seen) > 2 {
					t.Errorf("asked %v; the answer should be remembered", s.seen)
				}
			}
		})
	}
}
