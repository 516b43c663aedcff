package hub_test

import (
	"fmt"
	"testing"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// TestGitWrites: git objects, branches and pull requests are made, moved and removed by GitHub's rules, each with its permission.
func TestGitWrites(t *testing.T) {
	t.Parallel()
	s := newFixture(t, hub.Options{})
	good(t, s.manager.Grant("alice", hub.Admin))
	add := func(name string, permissions map[string]string) {
		s.secrets[name] = got(s.hub.AddToken(hub.Token{Name: name, Kind: hub.FineGrained, User: "alice", Repositories: []string{"ops/manager"}, Permissions: permissions}))(t).Secret
	}
	add("contents", map[string]string{"contents": "write"})
	add("workflows", map[string]string{"contents": "write", "workflows": "write"})
	add("pulls", map[string]string{"pull_requests": "write"})
	add("secrets", map[string]string{"secrets": "write"})
	add("reader", map[string]string{"contents": "read", "pull_requests": "read", "secrets": "read"})
	path := "/repos/ops/manager"
	head := got(s.manager.Head("main"))(t)
	base := got(s.manager.CommitOf(head))(t).Tree
	tree := func(file string) string {
		return fmt.Sprintf(`{"base_tree":%q,"tree":[{"path":%q,"mode":"100644","type":"blob","content":"x"}]}`, base, file)
	}
	made := s.send("contents", "POST", path+"/git/trees", tree("new.txt")).object(t)["sha"]
	commit := s.send("contents", "POST", path+"/git/commits", fmt.Sprintf(`{"message":"m","tree":%q,"parents":[%q]}`, made, head)).object(t)["sha"]
	for _, c := range []struct {
		token, method, path, body string
		want                      int
	}{
		{"reader", "POST", "/git/trees", tree("a"), 403},
		{"contents", "POST", "/git/trees", tree(".github/workflows/a.yml"), 403},
		{"workflows", "POST", "/git/trees", tree(".github/workflows/a.yml"), 201},
		{"contents", "POST", "/git/trees", tree("../a"), 422},
		{"contents", "POST", "/git/trees", `{"base_tree":"` + head + `","tree":[{"path":"a","mode":"100644","type":"blob","sha":"` + head + `"}]}`, 422},
		{"contents", "POST", "/git/commits", fmt.Sprintf(`{"message":"m","tree":%q,"parents":[%q]}`, head, head), 422},
		{"contents", "POST", "/git/refs", fmt.Sprintf(`{"ref":"refs/heads/new","sha":%q}`, commit), 201},
		{"contents", "POST", "/git/refs", fmt.Sprintf(`{"ref":"refs/heads/new","sha":%q}`, commit), 422},
		{"contents", "POST", "/git/refs", fmt.Sprintf(`{"ref":"refs/heads/new/below","sha":%q}`, commit), 422},
		{"contents", "POST", "/git/refs", fmt.Sprintf(`{"ref":"new2","sha":%q}`, commit), 422},
		{"reader", "POST", "/git/refs", fmt.Sprintf(`{"ref":"refs/heads/no","sha":%q}`, commit), 403},
		{"contents", "PATCH", "/git/refs/heads/new", fmt.Sprintf(`{"sha":%q}`, head), 422},
		{"contents", "PATCH", "/git/refs/heads/new", fmt.Sprintf(`{"sha":%q}`, commit), 200},
		{"contents", "POST", "/pulls", `{"title":"t","head":"new","base":"main"}`, 403},
		{"pulls", "POST", "/pulls", `{"title":"t","head":"main","base":"main"}`, 422},
		{"pulls", "POST", "/pulls", `{"title":"t","head":"new","base":"main"}`, 201},
		{"pulls", "POST", "/pulls", `{"title":"t","head":"new","base":"main"}`, 422},
		{"pulls", "PATCH", "/pulls/1", `{"state":"closed"}`, 200},
		{"pulls", "PATCH", "/pulls/1", `{"state":"open"}`, 200},
		{"reader", "DELETE", "/git/refs/heads/new", "", 403},
		{"contents", "DELETE", "/git/refs/heads/new", "", 204},
		{"contents", "DELETE", "/git/refs/heads/new", "", 422},
		{"pulls", "PATCH", "/pulls/1", `{"state":"open"}`, 422},
		{"reader", "PUT", "/actions/secrets/A", `{"encrypted_value":"eA==","key_id":"1"}`, 403},
		{"secrets", "PUT", "/actions/secrets/A", `{"encrypted_value":"eA==","key_id":"1"}`, 422},
		{"secrets", "DELETE", "/actions/secrets/A", "", 404},
	} {
		if a := s.send(c.token, c.method, path+c.path, c.body); a.status != c.want {
			t.Errorf("%s %s %s %s: got %d %s, want %d", c.token, c.method, c.path, c.body, a.status, a.body, c.want)
		}
	}
	equal(t, "closed with its branch", s.send("admin", "GET", path+"/pulls/1", "").object(t)["state"], any("closed"))
}
