package actions_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/metapipe/metapipe/pkg/actions"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

var update = flag.Bool("update", false, "write the golden files anew")

const mergeSHA = pipeline.SHA("cccccccccccccccccccccccccccccccccccccccc")

// fixture is an event file of testdata/events with the event's name.
type fixture struct {
	Event   string          `json:"event"`
	Payload json.RawMessage `json:"payload"`
}

func fixtures(t testing.TB) map[string]fixture {
	t.Helper()
	paths, err := filepath.Glob("testdata/events/*.json")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	all := map[string]fixture{}
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var f fixture
		if err := json.Unmarshal(raw, &f); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		all[strings.TrimSuffix(path, ".json")] = f
	}
	return all
}

// runContext is what the runner says beside the event: on pull requests its
// commit is the merge commit.
func runContext(event string) actions.Context {
	c := actions.Context{
		InActions: true, EventName: event, Repository: pipeline.Slug{Owner: "acme", Name: "shop"}, RepositoryID: 7, SHA: mergeSHA,
	}
	if event == "schedule" {
		c.Ref = "refs/heads/main"
	}
	return c
}

func TestReadEventGolden(t *testing.T) {
	t.Parallel()
	for name, f := range fixtures(t) {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			event, err := actions.ReadEvent(f.Event, f.Payload, runContext(f.Event))
			if err != nil {
				t.Fatal(err)
			}
			got, err := json.MarshalIndent(event, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, '\n')
			golden := name + ".golden"
			if *update {
				if err := os.WriteFile(golden, got, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestHeadIsNeverTheMergeCommit(t *testing.T) {
	t.Parallel()
	f := fixtures(t)["testdata/events/pull-request"]
	event, err := actions.ReadEvent(f.Event, f.Payload, runContext(f.Event))
	if err != nil {
		t.Fatal(err)
	}
	if event.Head == mergeSHA || event.PullRequest != 5 || event.Branch != "release-2024" || event.Ref != "refs/pull/5/merge" {
		t.Errorf("got %+v", event)
	}
	c := runContext(f.Event)
	c.Ref = "refs/heads/main" // once the pull request is merged
	if event, err = actions.ReadEvent(f.Event, f.Payload, c); err != nil || event.Ref != c.Ref || event.PullRequest != 5 {
		t.Errorf("merged: %+v, %v", event, err)
	}
}

// TestPullRequestActions: what happened and whether the pull request is open are read,
// and an event without either is refused with a remedy.
// A pull request that gets another base branch has another diff to plan.
func TestRetargetedPullRequest(t *testing.T) {
	t.Parallel()
	f := fixtures(t)["testdata/events/pull-request"]
	for changes, want := range map[string]bool{`{"base":{"ref":{"from":"main"}}}`: true, `{"title":{"from":"x"}}`: false, `{"base":null}`: false, `null`: false} {
		var event map[string]json.RawMessage
		if err := json.Unmarshal(f.Payload, &event); err != nil {
			t.Fatal(err)
		}
		event["action"], event["changes"] = json.RawMessage(`"edited"`), json.RawMessage(changes)
		b, err := json.Marshal(event)
		if err != nil {
			t.Fatal(err)
		}
		got, err := actions.ReadEvent("pull_request", b, runContext("pull_request"))
		if err != nil || got.Retargeted != want || (got.Idle() == "") != want {
			t.Errorf("%s: %v, %q, %v", changes, got.Retargeted, got.Idle(), err)
		}
	}
}

func TestPullRequestActions(t *testing.T) {
	t.Parallel()
	f := fixtures(t)["testdata/events/pull-request"]
	with := func(action, state, merged string) []byte {
		var event map[string]json.RawMessage
		var pull map[string]json.RawMessage
		if err := errors.Join(json.Unmarshal(f.Payload, &event), json.Unmarshal(event["pull_request"], &pull)); err != nil {
			t.Fatal(err)
		}
		event["action"], pull["state"], pull["merged"] = json.RawMessage(action), json.RawMessage(state), json.RawMessage(merged)
		b, err := json.Marshal(pull)
		event["pull_request"] = b
		if err != nil {
			t.Fatal(err)
		}
		if b, err = json.Marshal(event); err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, c := range []struct {
		action, state, merged string
		closed, refused       bool
	}{
		{`"opened"`, `"open"`, `false`, false, false},
		{`"labeled"`, `"open"`, `null`, false, false},
		{`"labeled"`, `"closed"`, `false`, true, false},
		{`"closed"`, `"closed"`, `true`, true, false},
		{`"locked"`, `"open"`, `true`, true, false},
		{`""`, `"open"`, `false`, false, true},
		{`null`, `"open"`, `false`, false, true},
		{`"opened"`, `null`, `false`, false, true},
		{`"opened"`, `"OPEN"`, `false`, false, true},
		{`"opened\n"`, `"open"`, `false`, false, true},
	} {
		event, err := actions.ReadEvent(f.Event, with(c.action, c.state, c.merged), runContext(f.Event))
		var usage *pipeline.UsageError
		if (err != nil) != c.refused || err == nil && (event.Closed != c.closed || `"`+event.Action+`"` != c.action) || err != nil && (!errors.As(err, &usage) || usage.Next == "") {
			t.Errorf("%+v: %+v, %v", c, event, err)
		}
	}
}

// TestEventsThatLackFields: an event file that is not GitHub's is no failure of the
// network: it names the field and what to do.
func TestEventsThatLackFields(t *testing.T) {
	t.Parallel()
	for event, payload := range map[string]string{"schedule": `{"schedule":"5 4 * * *"}`, "push": `{"ref":"refs/heads/main"}`, "merge_group": `{}`, "repository_dispatch": `{"repository":null}`, "pull_request": `{"repository":[]}`} {
		_, err := actions.ReadEvent(event, []byte(payload), runContext(event))
		var usage *pipeline.UsageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), "repository") || !strings.Contains(usage.Next, "GITHUB_EVENT_PATH") {
			t.Errorf("%s: %v", event, err)
		}
	}
}

func TestDependabotByActor(t *testing.T) {
	t.Parallel()
	f := fixtures(t)["testdata/events/pull-request"]
	c := runContext(f.Event)
	c.Actor = "dependabot[bot]"
	event, err := actions.ReadEvent(f.Event, f.Payload, c)
	if err != nil || !event.Dependabot || event.Actor != c.Actor {
		t.Errorf("got %+v, %v", event, err)
	}
}

func TestReadEventRefuses(t *testing.T) {
	t.Parallel()
	const repo = `"repository":{"id":7,"full_name":"acme/shop","default_branch":"main"}`
	a, b := strings.Repeat("a", 40), strings.Repeat("b", 40)
	push := func(ref string) string {
		return fmt.Sprintf(`{"ref":%q,"before":%q,"after":%q,%s}`, ref, a, b, repo)
	}
	pull := func(number, head, base string) string {
		return fmt.Sprintf(`{"pull_request":{"number":%s,"head":{"sha":%q,"ref":%q},"base":{"sha":%q,"repo":{"id":%s}}},%s}`, number, a, head, b, base, repo)
	}
	dispatch := func(payload string) string { return `{"branch":"main","client_payload":` + payload + `,` + repo + `}` }
	var inputs []string
	for i := range 26 {
		inputs = append(inputs, fmt.Sprintf(`"i%d":""`, i))
	}
	for name, tc := range map[string]struct{ event, payload, want string }{
		"target event":     {"pull_request_target", `{}`, "use `on: pull_request`"},
		"unknown event":    {"issue_comment", `{}`, "not supported"},
		"no event":         {"", `{}`, "not supported"},
		"not json":         {"push", `{`, "unexpected end"},
		"empty":            {"push", ``, "unexpected end"},
		"no repository":    {"push", `{}`, "repository"},
		"other repository": {"push", `{"repository":{"id":8,"full_name":"acme/other"}}`, "belongs to acme/shop"},
		"other id":         {"push", `{"repository":{"id":8,"full_name":"acme/shop"}}`, "belongs to acme/shop"},
		"no id":            {"push", `{"repository":{"full_name":"acme/shop"}}`, "id is missing"},
		"short ref":        {"push", push("main"), "not a full git ref"},
		"ref with newline": {"push", push("refs/heads/a\nb"), "not a full git ref"},
		"ref going up":     {"push", push("refs/heads/../x"), "not a full git ref"},
		"no commit":        {"push", `{"ref":"refs/heads/main",` + repo + `}`, "after"},
		"short commit":     {"push", `{"ref":"refs/heads/main","after":"abc",` + repo + `}`, "after"},
		"no pull request":  {"pull_request", `{` + repo + `}`, "missing"},
		"number 0":         {"pull_request", pull("0", "x", "7"), "missing"},
		"negative":         {"pull_request", pull("-1", "x", "7"), "missing"},
		"other base":       {"pull_request", pull("5", "x", "8"), "another repository"},
		"flag as branch":   {"pull_request", pull("5", "--upload-pack=x", "7"), "not a branch"},
		"expression":       {"pull_request", pull("5", "a b", "7"), "not a branch"},
		"no group":         {"merge_group", `{` + repo + `}`, "merge_group is missing"},
		"input object":     {"workflow_dispatch", `{"ref":"refs/heads/main","inputs":{"a":{}},` + repo + `}`, "neither a string"},
		"26 inputs":        {"workflow_dispatch", `{"ref":"refs/heads/main","inputs":{` + strings.Join(inputs, ",") + `},` + repo + `}`, "26 inputs"},
		"huge input":       {"workflow_dispatch", `{"ref":"refs/heads/main","inputs":{"a":"` + strings.Repeat("x", 70000) + `"},` + repo + `}`, "larger than 65535"},
		"payload list":     {"repository_dispatch", dispatch(`[]`), "not an object"},
		"payload large":    {"repository_dispatch", dispatch(`{"a":"` + strings.Repeat("x", 70000) + `"}`), "larger than 64 KiB"},
		"payload wide":     {"repository_dispatch", dispatch(`{"0":0,"1":0,"2":0,"3":0,"4":0,"5":0,"6":0,"7":0,"8":0,"9":0,"a":0}`), "11 top-level"},
		"no branch":        {"repository_dispatch", `{` + repo + `}`, "branch"},
		"too large":        {"push", strings.Repeat(" ", actions.MaxEvent+1), "larger than 25 MiB"},
	} {
		_, err := actions.ReadEvent(tc.event, []byte(tc.payload), runContext(tc.event))
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q", name, err, tc.want)
		}
	}
}

func TestDispatchedRefMustBeTheRuns(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"workflow-dispatch", "repository-dispatch"} {
		f := fixtures(t)["testdata/events/"+name]
		c := runContext(f.Event)
		c.Ref = "refs/heads/other"
		if _, err := actions.ReadEvent(f.Event, f.Payload, c); err == nil {
			t.Errorf("%s: the payload names another ref than the environment", name)
		}
	}
}

func TestLoadEvent(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := fixtures(t)["testdata/events/push-branch"]
	c := runContext(f.Event)
	var usage *pipeline.UsageError
	if _, err := actions.LoadEvent(c); !errors.As(err, &usage) {
		t.Errorf("no path: %v", err)
	}
	c.EventPath = filepath.Join(dir, "event.json")
	if _, err := actions.LoadEvent(c); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if err := os.WriteFile(c.EventPath, f.Payload, 0o600); err != nil {
		t.Fatal(err)
	}
	if event, err := actions.LoadEvent(c); err != nil || event.Branch != "main" {
		t.Errorf("got %+v, %v", event, err)
	}
}

func FuzzReadEvent(f *testing.F) {
	for _, fx := range fixtures(f) {
		f.Add(fx.Event, []byte(fx.Payload))
	}
	f.Add("push", []byte(`{"repository":{"id":-1,"full_name":"a/b"}}`))
	f.Add("pull_request", []byte(`{"pull_request":{"number":1,"head":{"repo":null}}}`))
	f.Fuzz(func(t *testing.T, name string, raw []byte) {
		event, err := actions.ReadEvent(name, raw, actions.Context{SHA: mergeSHA, Ref: ""})
		if err != nil {
			return
		}
		if event.Repository.ID <= 0 || event.Name != name {
			t.Errorf("accepted %+v", event)
		}
		for _, sha := range []pipeline.SHA{event.Head, event.Base} {
			if _, err := pipeline.ParseSHA(string(sha)); sha != "" && err != nil {
				t.Error(err)
			}
		}
		if strings.ContainsAny(event.Ref+event.Branch, "\x00\n\r ~^:?*[\\") || strings.Contains(event.Branch, "..") {
			t.Errorf("accepted ref %q, branch %q", event.Ref, event.Branch)
		}
		if name == "pull_request" && event.Head == mergeSHA && !strings.Contains(string(raw), string(mergeSHA)) {
			t.Error("the head is the merge commit")
		}
	})
}

// grow gives every object keys that are not known, and every repository custom
// properties of the given form.
func grow(v any, properties string) any {
	switch x := v.(type) {
	case map[string]any:
		for key, child := range x {
			if key != "client_payload" && key != "inputs" {
				x[key] = grow(child, properties)
			}
		}
		if x["full_name"] != nil {
			x["custom_properties"] = json.RawMessage(properties)
		}
		x["a_new_key"], x["another"] = []any{map[string]any{"id": "x"}}, nil
	case []any:
		for i := range x {
			x[i] = grow(x[i], properties)
		}
	}
	return v
}

// TestEventsGrow: custom properties of any form, and keys that GitHub adds later,
// change nothing else in any kind of event.
func TestEventsGrow(t *testing.T) {
	t.Parallel()
	kinds := map[string]bool{}
	for name, f := range fixtures(t) {
		kinds[f.Event] = true
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			want, err := actions.ReadEvent(f.Event, f.Payload, runContext(f.Event))
			if err != nil {
				t.Fatal(err)
			}
			for _, form := range []string{
				`{"tools":["terraform","ansible"],"tier":"x","owner":null}`, `{}`, `null`, `[]`, `"none"`, `7`,
				`{"a":{"b":[{"c":1}]},"id":1,"full_name":["evil/repo"],"default_branch":null}`,
			} {
				var v any
				decoder := json.NewDecoder(bytes.NewReader(f.Payload))
				decoder.UseNumber()
				if err := decoder.Decode(&v); err != nil {
					t.Fatal(err)
				}
				raw, err := json.Marshal(grow(v, form))
				if err != nil {
					t.Fatal(err)
				}
				got, err := actions.ReadEvent(f.Event, raw, runContext(f.Event))
				want.Properties, _ = pipeline.ParseProperties(json.RawMessage(form)) // not known beside an error
				got.Payload, want.Payload = compacted(t, got.Payload), compacted(t, want.Payload)
				if err != nil || !cmp.Equal(want, got) {
					t.Errorf("custom_properties %s: %v %s", form, err, cmp.Diff(want, got))
				}
			}
		})
	}
	for _, kind := range []string{"push", "pull_request", "merge_group", "workflow_dispatch", "repository_dispatch", "schedule"} {
		if !kinds[kind] {
			t.Errorf("no fixture of %s", kind)
		}
	}
}

func compacted(t *testing.T, raw json.RawMessage) json.RawMessage {
	t.Helper()
	if len(raw) == 0 {
		return nil
	}
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
