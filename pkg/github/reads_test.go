package github_test

import (
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/metapipe/metapipe/pkg/github"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

func TestWorkflowRun(t *testing.T) {
	t.Parallel()
	s := serve(t, map[string]http.HandlerFunc{
		"GET /repos/acme/shop/actions/runs/9": answer(200, `{"id":9,"run_attempt":2,"event":"push","status":"in_progress","conclusion":null,
			"head_sha":"`+string(shaA)+`","head_branch":"main","path":".github/workflows/trigger.yml@refs/heads/main","actor":{"login":"kim"},
			"html_url":"https://github.com/acme/shop/actions/runs/9","repository":{"id":7},"created_at":"2026-03-01T10:00:00Z","updated_at":"2026-03-01T10:01:00Z"}`),
		"GET /repos/acme/shop/actions/runs/8": answer(200, `{"id":9,"head_sha":"`+string(shaA)+`","repository":{"id":7}}`),
	})
	c := s.client(t)
	run, err := c.WorkflowRun(t.Context(), acme, 9)
	if err != nil {
		t.Fatal(err)
	}
	if run.Path != ".github/workflows/trigger.yml" || run.Attempt != 2 || run.RepoID != 7 || run.HeadSHA != shaA || run.Actor != "kim" || run.CreatedAt.IsZero() {
		t.Errorf("got %+v", run)
	}
	if _, err := c.WorkflowRun(t.Context(), acme, 8); err == nil {
		t.Error("the answer about another run was taken")
	}
	if _, err := c.WorkflowRun(t.Context(), acme, 1); !absent(err) {
		t.Errorf("a missing run is %v", err)
	}
}

func TestReachable(t *testing.T) {
	t.Parallel()
	head := answer(200, `{"ref":"refs/heads/release/1","object":{"type":"commit","sha":"`+string(shaA)+`"}}`)
	for name, tc := range map[string]struct {
		sha     pipeline.SHA
		branch  http.HandlerFunc
		compare http.HandlerFunc
		want    bool
		fails   bool
	}{
		"the head":          {shaA, head, nil, true, false},
		"an ancestor":       {shaB, head, answer(200, `{"status":"behind"}`), true, false},
		"ahead":             {shaB, head, answer(200, `{"status":"ahead"}`), false, false},
		"commit of a fork":  {shaB, head, answer(200, `{"status":"diverged"}`), false, false},
		"missing commit":    {shaB, head, answer(404, `{"message":"Not Found"}`), false, false},
		"unknown commit":    {shaB, head, answer(422, `{"message":"No commit found for SHA: bbb"}`), false, false},
		"strange answer":    {shaB, head, answer(200, `{}`), false, true},
		"forbidden":         {shaB, head, answer(403, `{"message":"no"}`), false, true},
		"missing branch":    {shaA, answer(404, `{"message":"Not Found"}`), nil, false, true},
		"tag of that name":  {shaA, answer(200, `{"ref":"refs/tags/release/1","object":{"type":"tag","sha":"`+string(shaA)+`"}}`), nil, false, true},
		"not even a commit": {"main", head, nil, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			routes := map[string]http.HandlerFunc{"GET /repos/acme/shop/git/ref/heads/release/1": tc.branch}
			if tc.compare != nil {
				routes["GET /repos/acme/shop/compare/"+string(shaA)+"..."+string(shaB)] = tc.compare
			}
			got, err := serve(t, routes).client(t).Reachable(t.Context(), acme, "release/1", tc.sha)
			if got != tc.want || (err != nil) != tc.fails {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

func pull(number int, extra string) string {
	return fmt.Sprintf(`{"number":%d,"state":"closed","head":{"sha":%q,"ref":"topic","repo":{"id":7}},"base":{"ref":"main"}%s}`, number, shaA, extra)
}

func TestPullRequests(t *testing.T) {
	t.Parallel()
	s := serve(t, map[string]http.HandlerFunc{
		"GET /repos/acme/shop/pulls/5": answer(200, pull(5, `,"merged":true,"merge_commit_sha":"`+string(shaB)+`"`)),
		"GET /repos/acme/shop/pulls/6": answer(200, `{"number":6,"state":"open","head":{"sha":"`+string(shaA)+`","ref":"x","repo":null},"base":{"ref":"main"},"merge_commit_sha":null}`),
		"GET /repos/acme/shop/pulls/7": answer(200, pull(8, "")),
		"GET /repos/acme/shop/commits/" + string(shaB) + "/pulls": paged(map[int]string{
			1: "[" + pull(5, `,"merged_at":"2026-03-01T10:00:00Z"`) + "]", 2: "[" + pull(6, "") + "]",
		}),
	})
	c := s.client(t)
	want := pipeline.PullRequest{Number: 5, State: "closed", Merged: true, Head: shaA, HeadBranch: "topic", HeadRepoID: 7, BaseBranch: "main", MergeSHA: shaB}
	got, err := c.PullRequest(t.Context(), acme, 5)
	if err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	if got, err := c.PullRequest(t.Context(), acme, 6); err != nil || got.HeadRepoID != 0 || got.MergeSHA != "" || got.Merged {
		t.Errorf("deleted fork: %+v, %v", got, err)
	}
	if _, err := c.PullRequest(t.Context(), acme, 7); err == nil {
		t.Error("the answer about another pull request was taken")
	}
	list, err := c.PullRequestsOf(t.Context(), acme, shaB)
	if err != nil || len(list) != 2 || !list[0].Merged || list[1].Number != 6 {
		t.Errorf("got %+v, %v", list, err)
	}
}

// paged answers ?page=N with its body and a Link header to the next page.
func paged(pages map[int]string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.URL.Query().Get("page"))
		if err != nil || r.URL.Query().Get("per_page") != "100" {
			answer(422, `{"message":"no paging"}`)(w, r)
			return
		}
		if _, more := pages[n+1]; more {
			w.Header().Set("Link", fmt.Sprintf(`<http://%s%s?page=%d>; rel="next"`, r.Host, r.URL.Path, n+1))
		}
		answer(200, pages[n])(w, r)
	}
}

func files(n int) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = fmt.Sprintf(`{"filename":"f%d"}`, i)
	}
	return strings.Join(parts, ",")
}

func TestChangedPaths(t *testing.T) {
	t.Parallel()
	compare := "GET /repos/acme/shop/compare/" + string(shaA) + "..." + string(shaB)
	s := serve(t, map[string]http.HandlerFunc{compare: answer(200, `{"status":"ahead","files":[{"filename":"infra/b.yml","previous_filename":"a.yml"},{"filename":"c"}]}`)})
	paths, complete, err := s.client(t).ChangedPaths(t.Context(), acme, shaA, shaB)
	if want := []string{"infra/b.yml", "a.yml", "c"}; err != nil || !complete || !slices.Equal(paths, want) {
		t.Errorf("got %v, %v, %v", paths, complete, err)
	}
	s = serve(t, map[string]http.HandlerFunc{compare: answer(200, `{"status":"ahead","files":[`+files(300)+`]}`)})
	paths, complete, err = s.client(t).ChangedPaths(t.Context(), acme, shaA, shaB)
	if err != nil || complete || len(paths) != 300 {
		t.Errorf("300 files: %d paths, complete %v, %v", len(paths), complete, err)
	}
	for name, reply := range map[string]http.HandlerFunc{
		"pushed back":    answer(200, `{"status":"behind","files":[]}`),
		"pushed aside":   answer(200, `{"status":"diverged","files":[{"filename":"c"}]}`),
		"base collected": answer(404, `{"message":"Not Found"}`),
	} {
		s = serve(t, map[string]http.HandlerFunc{compare: reply})
		if _, complete, err := s.client(t).ChangedPaths(t.Context(), acme, shaA, shaB); err != nil || complete {
			t.Errorf("%s: complete %v, %v", name, complete, err)
		}
	}
}

func TestPullRequestPaths(t *testing.T) {
	t.Parallel()
	all := map[int]string{}
	for page := range 31 {
		all[page+1] = "[" + files(100) + "]"
	}
	for name, tc := range map[string]struct {
		pages    map[int]string
		requests int
		paths    int
		complete bool
	}{
		"two pages":  {map[int]string{1: "[" + files(100) + "]", 2: "[" + files(3) + "]"}, 2, 103, true},
		"none":       {map[int]string{1: "[]"}, 1, 0, true},
		"3000 files": {all, 30, 3000, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, map[string]http.HandlerFunc{"GET /repos/acme/shop/pulls/4/files": paged(tc.pages)})
			paths, complete, err := s.client(t).PullRequestPaths(t.Context(), acme, 4)
			if err != nil || len(paths) != tc.paths || complete != tc.complete || len(s.seen) != tc.requests {
				t.Errorf("%d paths, complete %v, %d requests, %v", len(paths), complete, len(s.seen), err)
			}
		})
	}
}

func TestPagesEnd(t *testing.T) {
	t.Parallel()
	loop := func(w http.ResponseWriter, r *http.Request) {
		answer(200, `[]`, "Link", `<http://`+r.Host+r.URL.Path+`?page=1>; rel="next"`)(w, r)
	}
	forever := func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.URL.Query().Get("page"))
		answer(200, `[]`, "Link", fmt.Sprintf(`<http://%s%s?page=%d>; rel="next"`, r.Host, r.URL.Path, n+1))(w, r)
	}
	for name, handler := range map[string]http.HandlerFunc{"loop": loop, "for ever": forever} {
		s := serve(t, map[string]http.HandlerFunc{"GET /repos/acme/shop/issues/1/comments": handler})
		if _, err := s.client(t).Comments(t.Context(), acme, 1); err == nil || len(s.seen) > 100 {
			t.Errorf("%s: %d requests, %v", name, len(s.seen), err)
		}
	}
}

func blob(content string) string {
	return fmt.Sprintf("%x", sha1.Sum(fmt.Appendf(nil, "blob %d\x00%s", len(content), content)))
}

func content(name, text, sha string) string {
	wrapped := base64.StdEncoding.EncodeToString([]byte(text))
	if len(wrapped) > 8 {
		wrapped = wrapped[:8] + `\n` + wrapped[8:] + `\n`
	}
	return fmt.Sprintf(`{"type":"file","encoding":"base64","size":%d,"name":%q,"sha":%q,"content":"%s"}`, len(text), name, sha, wrapped)
}

func TestFile(t *testing.T) {
	t.Parallel()
	const text = "project_name: shop\n"
	good := content("variables.yml", text, blob(text))
	listed := func(entry string) string { return `[{"type":"dir","name":"x"},{"name":"variables.yml",` + entry + `}]` }
	regular := listed(`"type":"file","sha":"` + blob(text) + `"`)
	var full []string
	for i := range 1000 {
		full = append(full, fmt.Sprintf(`{"type":"file","name":"f%d"}`, i))
	}
	for name, tc := range map[string]struct {
		file, dir string
		kind      string // of the NotAFileError
		want      string // in the error
	}{
		"regular":             {file: good, dir: regular},
		"symlink, followed":   {file: good, dir: listed(`"type":"symlink","sha":"` + blob("../x") + `"`), kind: "symlink"},
		"symlink, not":        {file: `{"type":"symlink","target":"../x"}`, kind: "symlink"},
		"parent is a symlink": {file: good, dir: `{"type":"symlink","target":"x"}`, kind: "symlink"},
		"directory":           {file: `[{"type":"file"}]`, kind: "dir"},
		"submodule":           {file: `{"type":"submodule","submodule_git_url":"git://x"}`, kind: "submodule"},
		"submodule as file":   {file: good, dir: listed(`"type":"file","git_url":"https://x/git/trees/1","sha":"` + blob(text) + `"`), kind: "submodule"},
		"other content":       {file: content("variables.yml", "evil", blob(text)), want: "does not belong to blob"},
		"moved on":            {file: good, dir: listed(`"type":"file","sha":"` + blob("new") + `"`), want: "changed while it was read"},
		"too large":           {file: `{"type":"file","encoding":"none","size":1048577,"content":"","sha":"` + blob(text) + `"}`, want: "at most 1048576"},
		"no content":          {file: `{"type":"file","encoding":"none","size":5,"sha":"` + blob(text) + `"}`, want: "unknown encoding"},
		"bad base64":          {file: `{"type":"file","encoding":"base64","content":"!","sha":"` + blob(text) + `"}`, want: "decode the content"},
		"bad sha":             {file: `{"type":"file","encoding":"base64","content":"","sha":"x"}`, want: "40 lower-case"},
		"not listed":          {file: good, dir: `[]`, want: "not in the listing"},
		"listing cut":         {file: good, dir: "[" + strings.Join(full, ",") + "]", want: "too many entries"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, map[string]http.HandlerFunc{
				"GET /repos/acme/shop/contents/infra/variables.yml": answer(200, tc.file),
				"GET /repos/acme/shop/contents/infra":               answer(200, tc.dir),
			})
			got, err := s.client(t).File(t.Context(), acme, string(shaA), "infra/variables.yml")
			if tc.kind == "" && tc.want == "" {
				want := pipeline.File{Path: "infra/variables.yml", Blob: pipeline.SHA(blob(text)), Content: []byte(text)}
				if diff := cmp.Diff(want, got); err != nil || diff != "" {
					t.Errorf("%v\n%s", err, diff)
				}
				return
			}
			var kind *github.NotAFileError
			if errors.As(err, &kind) != (tc.kind != "") || kind != nil && kind.Kind != tc.kind {
				t.Errorf("got %v, want kind %q", err, tc.kind)
			}
			var problems pipeline.Problems
			if owned := tc.kind != "" || name == "too large"; errors.As(err, &problems) != owned {
				t.Errorf("problems for the customer: %v in %v", problems, err)
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) || len(got.Content) > 0 {
				t.Errorf("got %v and %d bytes, want %q", err, len(got.Content), tc.want)
			}
		})
	}
}

func TestFileAddresses(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	c := s.client(t)
	for _, name := range []string{"", ".", "..", "/etc/passwd", "a/../b", "a//b", "a/", "a\x00b", "\xff"} {
		if _, err := c.File(t.Context(), acme, "main", name); err == nil || absent(err) {
			t.Errorf("path %q: %v", name, err)
		}
	}
	if len(s.seen) != 0 {
		t.Errorf("requests were sent: %v", s.seen)
	}
	_, err := c.File(t.Context(), acme, "a b", "in fra/50%?#x/v..yml")
	if !absent(err) {
		t.Errorf("a missing file is %v", err)
	}
	if want := "GET /repos/acme/shop/contents/in%20fra/50%25%3F%23x/v..yml?ref=a+b"; len(s.seen) != 2 || s.seen[0] != want || s.seen[1] != "GET /repos/acme/shop/contents?ref=a+b" {
		t.Errorf("asked %v, want %s", s.seen, want)
	}
}

func TestFileInRoot(t *testing.T) {
	t.Parallel()
	s := serve(t, map[string]http.HandlerFunc{
		"GET /repos/acme/shop/contents/v.yml": answer(200, content("v.yml", "", blob(""))),
		"GET /repos/acme/shop/contents":       answer(200, `[{"name":"v.yml","type":"file","sha":"`+blob("")+`"}]`),
	})
	if got, err := s.client(t).File(t.Context(), acme, "main", "v.yml"); err != nil || got.Blob != pipeline.SHA(blob("")) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestEnvironments(t *testing.T) {
	t.Parallel()
	s := serve(t, map[string]http.HandlerFunc{
		"GET /repos/acme/shop/environments/{name}": func(w http.ResponseWriter, r *http.Request) {
			switch r.PathValue("name") {
			case "infra/prod":
				answer(200, `{"name":"infra/prod","protection_rules":[{"type":"wait_timer","wait_timer":30},
					{"type":"required_reviewers","reviewers":[{"type":"User","reviewer":{"id":4,"login":"robin"}},{"type":"Team","reviewer":{"id":5,"slug":"ops"}},{"type":"Gadget","reviewer":{"id":6}}]},{"type":"branch_policy"}]}`)(w, r)
			case "open":
				answer(200, `{"name":"open"}`)(w, r)
			default:
				answer(404, `{"message":"Not Found"}`)(w, r)
			}
		},
		"GET /repos/acme/shop/actions/runs/9/approvals": answer(200, `[{"state":"approved","comment":"","environments":[{"id":1,"name":"production-apply"}],"user":{"id":4,"login":"robin"}},
			{"state":"rejected","environments":[],"user":null}]`),
		"GET /repos/acme/shop/actions/runs/9/pending_deployments": answer(200, `[{"environment":{"name":"production-apply"},"reviewers":[]}]`),
	})
	c := s.client(t)
	for name, want := range map[string]string{"infra/prod": "true 3 30", "open": "true 0 0", "gone": "false 0 0"} {
		exists, reviewers, wait, err := c.EnvironmentProtection(t.Context(), acme, name)
		if got := fmt.Sprint(exists, reviewers, wait); err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", name, got, err, want)
		}
	}
	approvals, err := c.Approvals(t.Context(), acme, 9)
	if got := fmt.Sprint(approvals); err != nil || got != "[{robin {4 robin} true [production-apply]} { {0 } false []}]" {
		t.Errorf("got %s, %v", got, err)
	}
	if got, err := c.PendingEnvironments(t.Context(), acme, 9); err != nil || !slices.Equal(got, []string{"production-apply"}) {
		t.Errorf("got %v, %v", got, err)
	}
}
