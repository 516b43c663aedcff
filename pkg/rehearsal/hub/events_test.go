package hub_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub/hubtest"
)

// pushed are the fields of a push event that the tests look at.
type pushed struct {
	Ref, Before, After       string
	Created, Deleted, Forced bool
	Commits                  []struct{ Added, Modified, Removed []string }
	Repository               struct {
		ID       int64
		FullName string `json:"full_name"`
	}
	Sender       struct{ Login string }
	Organization struct{ Login string }
}

func TestPushEvents(t *testing.T) {
	t.Parallel()
	s := newFixture(t, hub.Options{})
	second := s.commit(s.customer, "main", map[string]string{"infra/variables.yml": "a: 1\n", "new": "n"})
	topic := s.commit(s.customer, "topic", map[string]string{"t": ""})
	event := func(branch, before, after string) pushed {
		raw := got(s.customer.PushEvent(branch, before, after, "alice"))(t)
		hubtest.Event(t, "webhook-push", raw)
		var v pushed
		good(t, json.Unmarshal(raw, &v))
		return v
	}
	e := event("main", s.first, second)
	equal(t, "push", fmt.Sprintln(e.Ref, e.Before == s.first, e.After == second, e.Created, e.Deleted, e.Forced, e.Commits),
		"refs/heads/main true true false false false [{[new] [infra/variables.yml] []}]\n")
	equal(t, "who and where", fmt.Sprint(e.Repository.ID, e.Repository.FullName, e.Sender.Login, e.Organization.Login), "4711acme/shopaliceacme")
	e = event("topic", "", topic)
	equal(t, "new branch", fmt.Sprint(e.Created, e.Before == hub.ZeroSHA, len(e.Commits)), "true true 1")
	e = event("topic", topic, "")
	equal(t, "deleted branch", fmt.Sprint(e.Deleted, e.After == hub.ZeroSHA, len(e.Commits)), "true true 0")
	equal(t, "forced", event("main", second, s.first).Forced, true)
	event("main", "", second) // the first push of all
	if _, err := s.customer.PushEvent("main", s.first, "zzz", "alice"); err == nil {
		t.Error("an unknown commit was pushed")
	}
}

func TestPullRequestEvents(t *testing.T) {
	t.Parallel()
	s := newFixture(t, hub.Options{})
	before := s.commit(s.customer, "topic", map[string]string{"x": "1"})
	n := got(s.customer.OpenPull(hub.NewPull{Title: "T", Author: "alice", Head: "topic", Body: "b"}))(t)
	event := func(action string) map[string]any {
		raw := got(s.customer.PullEvent(n, action, "alice"))(t)
		hubtest.Event(t, "webhook-pull-request-"+action, raw)
		var v map[string]any
		good(t, json.Unmarshal(raw, &v))
		return v
	}
	event("opened")
	if _, err := s.customer.PullEvent(n, "synchronize", "alice"); err == nil {
		t.Error("synchronize without a push")
	}
	after := s.commit(s.customer, "topic", map[string]string{"x": "2"})
	e := event("synchronize")
	equal(t, "synchronize", fmt.Sprintln(e["before"], e["after"]), fmt.Sprintln(before, after))
	if _, err := s.customer.PullEvent(n, "closed", "alice"); err == nil {
		t.Error("closed while open")
	}
	got(s.customer.MergePull(n, hub.MergeCommit, "ops"))(t)
	e = event("closed")
	equal(t, "merged", e["pull_request"].(map[string]any)["merged"], any(true))
}

func TestDispatchEvents(t *testing.T) {
	t.Parallel()
	s := newFixture(t, hub.Options{})
	raw := got(s.manager.DispatchEvent("infra-deploy", json.RawMessage(`{"a":{"b":1}}`), "metapipe"))(t)
	hubtest.Event(t, "webhook-repository-dispatch-sample", raw)
	raw = got(s.manager.ManualEvent(workflowPath, "main", map[string]string{"customer": "shop"}, "ops"))(t)
	hubtest.Event(t, "webhook-workflow-dispatch", raw)
	if _, err := s.manager.ManualEvent(workflowPath, "none", nil, "ops"); err == nil {
		t.Error("dispatched an unknown branch")
	}
	if _, err := s.manager.DispatchEvent("x", nil, "nobody"); err == nil {
		t.Error("dispatched with an unknown token")
	}
}

func TestMergeQueue(t *testing.T) {
	t.Parallel()
	s := newFixture(t, hub.Options{})
	head := s.commit(s.customer, "topic", map[string]string{"x": "1"})
	base := s.commit(s.customer, "main", map[string]string{"y": "2"})
	n := got(s.customer.OpenPull(hub.NewPull{Title: "T", Author: "alice", Head: "topic"}))(t)
	branch, raw, err := s.customer.QueuePull(n, "alice")
	good(t, err)
	hubtest.Event(t, "webhook-merge-group-checks-requested", raw)
	var v struct {
		MergeGroup struct {
			HeadSHA string `json:"head_sha"`
			BaseSHA string `json:"base_sha"`
			HeadRef string `json:"head_ref"`
		} `json:"merge_group"`
	}
	good(t, json.Unmarshal(raw, &v))
	equal(t, "branch", branch, fmt.Sprintf("gh-readonly-queue/main/pr-%d-%s", n, base))
	equal(t, "its head", v.MergeGroup.HeadSHA, got(s.customer.Head(branch))(t))
	equal(t, "its parents", fmt.Sprint(got(s.customer.CommitOf(v.MergeGroup.HeadSHA))(t).Parents), fmt.Sprint([]string{base, head}))
	equal(t, "base and ref", v.MergeGroup.BaseSHA+v.MergeGroup.HeadRef, base+"refs/heads/"+branch)
	got(s.customer.MergePull(n, hub.MergeCommit, "alice"))(t)
	if _, _, err := s.customer.QueuePull(n, "alice"); err == nil {
		t.Error("a merged pull request was queued")
	}
}
