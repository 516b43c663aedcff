package hub_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub/hubtest"
)

// repositoriesIn counts the whole repositories in a JSON value and calls see with the
// custom properties of each.
func repositoriesIn(v any, see func(properties any)) (n int) {
	switch x := v.(type) {
	case map[string]any:
		if x["full_name"] != nil && x["clone_url"] != nil {
			n++
			see(x["custom_properties"])
		}
		for key, child := range x {
			if key != "custom_properties" {
				n += repositoriesIn(child, see)
			}
		}
	case []any:
		for _, child := range x {
			n += repositoriesIn(child, see)
		}
	}
	return n
}

// TestCustomPropertiesEverywhere: every embedded repository, in answers and in event
// files, has properties of every form.
func TestCustomPropertiesEverywhere(t *testing.T) {
	t.Parallel()
	s := newFixture(t, hub.Options{})
	s.customer.SetProperties(hub.Properties{"many": []string{"a", "b"}, "one": "c", "none": nil})
	got(s.hub.AddUser(hub.User{Login: "guild", Type: hub.Organization}))(t)
	topic := s.commit(s.customer, "topic", map[string]string{"x": "1"})
	n := got(s.customer.OpenPull(hub.NewPull{Title: "T", Author: "alice", Head: "topic"}))(t)
	run := got(s.customer.StartRun(hub.NewRun{Event: "pull_request", Path: workflowPath, HeadSHA: topic, HeadBranch: "topic", Actor: "alice"}))(t)
	fork := got(s.customer.Fork("guild", "shop"))(t)
	good(t, fork.Grant("ops", hub.Admin))
	queued := func() json.RawMessage {
		_, raw, err := s.customer.QueuePull(n, "alice")
		good(t, err)
		return raw
	}
	const want = `{"many":["a","b"],"none":null,"one":"c"}`
	check := func(name, text string, least int) {
		var v any
		good(t, json.Unmarshal([]byte(text), &v))
		seen := repositoriesIn(v, func(p any) {
			if raw := got(json.Marshal(p))(t); string(raw) != want {
				t.Errorf("%s: custom_properties %s", name, raw)
			}
		})
		if seen < least {
			t.Errorf("%s: %d repositories, want at least %d", name, seen, least)
		}
	}
	for path, least := range map[string]int{
		"/repos/acme/shop": 1, "/repos/" + fork.Slug(): 3, "/repos/acme/shop/pulls/1": 2, "/repos/acme/shop/pulls": 2,
		"/repos/acme/shop/commits/" + topic + "/pulls": 2, "/repos/acme/shop/commits/" + topic + "/status": 1,
		"/repos/acme/shop/actions/runs": 2, fmt.Sprintf("/repos/acme/shop/actions/runs/%d", run.ID): 2,
	} {
		a := s.send("admin", "GET", path, "")
		equal(t, path, a.status, 200)
		check(path, a.body, least)
	}
	for schema, raw := range map[string]json.RawMessage{
		"webhook-push":                         got(s.customer.PushEvent("topic", s.first, topic, "alice"))(t),
		"webhook-pull-request-opened":          got(s.customer.PullEvent(n, "opened", "alice"))(t),
		"webhook-merge-group-checks-requested": queued(),
		"webhook-workflow-dispatch":            got(s.customer.ManualEvent(workflowPath, "main", nil, "ops"))(t),
		"webhook-repository-dispatch-sample":   got(s.customer.DispatchEvent("x", nil, "metapipe"))(t),
	} {
		hubtest.Event(t, schema, raw)
		check(schema, string(raw), 1)
	}
}

func TestBotAddresses(t *testing.T) {
	t.Parallel()
	s := newFixture(t, hub.Options{})
	head := s.commit(s.customer, "main", map[string]string{"x": "1"})
	for token, want := range map[string][2]string{
		"metapipe": {"/users/metapipe%5Bbot%5D", "/apps/metapipe"},
		"job":      {"/users/github-actions%5Bbot%5D", "/apps/github-actions"},
		"admin":    {"/users/ops", "/ops"},
	} {
		a := s.send(token, "POST", "/repos/acme/shop/statuses/"+head, `{"state":"success","context":"c"}`)
		equal(t, token, a.status, 201)
		creator := a.object(t)["creator"].(map[string]any)
		equal(t, token, fmt.Sprint(creator["url"], creator["html_url"]), s.hub.URL()+want[0]+s.hub.URL()+want[1])
		for name, value := range creator {
			if link, isText := value.(string); isText && strings.HasSuffix(name, "url") && strings.Contains(link, "[") {
				t.Errorf("%s: %s is %s", token, name, link)
			}
		}
	}
}

func TestAccountsChange(t *testing.T) {
	t.Parallel()
	s := newFixture(t, hub.Options{})
	run := got(s.customer.StartRun(hub.NewRun{Event: "push", Path: workflowPath, HeadSHA: s.first, HeadBranch: "main", Actor: "alice"}))(t)
	good(t, s.customer.SetEnvironment("gated", hub.EnvironmentRules{Reviewers: []string{"alice", "ops"}, PreventSelfReview: true}))
	equal(t, "gate", got(s.customer.EnterEnvironment(run.ID, "job", "gated"))(t), hub.GateWaiting)
	if s.customer.Review(run.ID, "gated", "alice", true, "") == nil {
		t.Error("who caused the run has approved it")
	}
	good(t, s.customer.SetRun(run.ID, "completed", "failure"))
	got(s.customer.RerunBy(run.ID, "ops"))(t)
	equal(t, "gate", got(s.customer.EnterEnvironment(run.ID, "job", "gated"))(t), hub.GateWaiting)
	if s.customer.Review(run.ID, "gated", "ops", true, "") == nil {
		t.Error("who asked for the re-run has approved it")
	}
	good(t, s.customer.Review(run.ID, "gated", "alice", true, ""))
	path := fmt.Sprintf("/repos/acme/shop/actions/runs/%d", run.ID)
	account := func(v any) string {
		account := v.(map[string]any)
		return fmt.Sprintf("%v:%.0f", account["login"], account["id"])
	}
	look := func() string {
		x := s.send("job", "GET", path, "").object(t)
		var approvals []map[string]any
		good(t, json.Unmarshal([]byte(s.send("job", "GET", path+"/approvals", "").body), &approvals))
		return strings.Join([]string{account(x["actor"]), account(x["triggering_actor"]), account(approvals[0]["user"])}, " ")
	}
	equal(t, "re-run", look(), "alice:1003 ops:1002 alice:1003")
	good(t, s.hub.RenameUser("alice", "alicia"))
	equal(t, "renamed", look(), "alicia:1003 ops:1002 alicia:1003")
	equal(t, "somebody else takes the login", got(s.hub.AddUser(hub.User{Login: "alice"}))(t).ID, 1006)
	equal(t, "and nothing of the past", look(), "alicia:1003 ops:1002 alicia:1003")
	if s.hub.RenameUser("alicia", "Alice") == nil || s.hub.RenameUser("nobody", "x") == nil || s.hub.DeleteUser("ops") == nil {
		t.Error("a mistake was accepted")
	}
	good(t, s.hub.DeleteUser("alicia"))
	equal(t, "deleted", look(), "ghost:10137 ops:1002 ghost:10137")
	if _, err := s.customer.RerunBy(run.ID, "alicia"); err == nil {
		t.Error("a deleted account has asked for a re-run")
	}
}
