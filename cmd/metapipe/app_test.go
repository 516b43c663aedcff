package main

import (
	"maps"
	"strconv"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// asApp takes the job's personal tokens away and gives it the App's key.
func (j *job) asApp(id int64, key []byte) *job {
	return j.with("SOURCE_REPOS_PAT=", "MANAGER_REPO_PAT=", "METAPIPE_APP_ID="+strconv.FormatInt(id, 10), "METAPIPE_APP_PRIVATE_KEY="+string(key))
}

// TestAppsInsteadOfTokens carries a request with two Apps, one for each side, and
// looks whether anything of the key came out or into the tool.
func TestAppsInsteadOfTokens(t *testing.T) {
	t.Parallel()
	// The environment of a real apply, as a command of the root sees it.
	w := newWorld(t, map[string]string{"terraform/environment.tf": `
resource "terraform_data" "environment" {
  triggers_replace = [var.config.name]
  provisioner "local-exec" {
    command = "env >\"$HOME/environment\""
  }
}
`})
	carrierID, carrierKey, err := w.hub.AddApp(hub.GitHubApp{Slug: "carrier", Owner: "provider", Repositories: []string{customerSlug},
		Permissions: permissions("actions contents", "statuses pull_requests deployments")})
	check(t, err)
	senderID, senderKey, err := w.hub.AddApp(hub.GitHubApp{Slug: "sender", Owner: "acme", Repositories: []string{managerSlug}, Permissions: permissions("", "contents")})
	check(t, err)

	table := documentedPermissions(t)
	seen := map[string]bool{}
	// narrowed looks whether the tokens that the App has got since the last look can
	// do what the table says, and no more.
	narrowed := func(app string, want map[string]string) {
		t.Helper()
		fresh := 0
		for _, token := range w.hub.AppTokens(app) {
			if seen[token.Secret] {
				continue
			}
			seen[token.Secret] = true
			fresh++
			if !maps.Equal(token.Permissions, want) {
				t.Errorf("a token of %s may do %v, want %v", app, token.Permissions, want)
			}
		}
		if fresh == 0 {
			t.Errorf("%s got no token", app)
		}
	}
	play := func(run workflowRun, apply bool) {
		triggered := w.newJob(run).asApp(senderID, senderKey).start("trigger", "--wait", "1m")
		q := w.queued()
		narrowed("sender", table[[2]string{"trigger", "MANAGER_REPO_PAT"}])
		fetched := w.newJob(q).asApp(carrierID, carrierKey).do(0, "fetch-vars")
		narrowed("carrier", table[[2]string{"fetch-vars", "SOURCE_REPOS_PAT"}])
		r := &request{w: w, trigger: run, run: q, customer: fetched.outputs["customer"], id: fetched.outputs["request-id"]}
		// The workflow does not give the key to these; it must not matter if it does.
		w.newJob(q).asApp(carrierID, carrierKey).do(0, r.args("plan", "staging")...)
		if apply {
			w.newJob(q).asApp(carrierID, carrierKey).do(0, "report", "--customer", r.customer, "--request", r.id, "--applying", "staging")
			narrowed("carrier", map[string]string{"statuses": "write"})
			j := w.newJob(q).asApp(carrierID, carrierKey)
			j.do(0, r.args("apply", "staging")...)
			environment := readOptional(t, j.dir+"/home/environment")
			if !strings.Contains(environment, "TF_IN_AUTOMATION=1") {
				t.Fatalf("the tool's environment was not seen: %q", environment)
			}
			for _, word := range []string{"METAPIPE_", "PRIVATE KEY", "GITHUB_TOKEN", "_PAT=", "ACTIONS_ID_TOKEN", "ghs_", "github_pat_"} {
				if strings.Contains(environment, word) {
					t.Errorf("the tool sees %s:\n%s", word, environment)
				}
			}
		}
		printed := w.newJob(q).asApp(carrierID, carrierKey).do(0, "report", "--customer", r.customer, "--request", r.id, "--final")
		printed.want(t, "outcome=success")
		narrowed("carrier", table[[2]string{"report", "SOURCE_REPOS_PAT"}])
		if !strings.Contains(printed.log, "GitHub was asked: ") || strings.Contains(printed.summary, "asked GitHub") {
			t.Errorf("what was asked of GitHub belongs in the log alone:\n%s\n%s", printed.log, printed.summary)
		}
		if end := triggered.wait(); end.exit != 0 {
			t.Errorf("trigger ended with exit code %d:\n%s", end.exit, end.log)
		}
		if apply {
			w.newJob(q).asApp(carrierID, carrierKey).do(0, "ledger", "--customer", r.customer, "--verify")
			narrowed("carrier", map[string]string{"deployments": "read", "statuses": "read"})
		}
	}
	run, number := w.pull(w.customer, "change", map[string]string{"infra/variables.yml": variablesYML})
	play(run, false)
	play(w.pushed("main", must(w.customer.MergePull(number, "merge", "casey"))(t)), true)
	w.wantOneComment("**Applied: ")
	if author := w.customer.Snapshot().Pulls[0].Comments[0].Author; author != "carrier[bot]" {
		t.Errorf("the comment is by %s", author)
	}
	w.wantNothingPending()

	shown := strings.Join(w.seen, "\n")
	line := strings.Split(string(carrierKey), "\n")[3]
	if len(line) < 60 || !strings.Contains(shown, "::add-mask::"+line+"\n") {
		t.Error("a line of the App's key is not masked")
	}
	for output := range strings.Lines(shown) {
		if strings.Contains(output, line) && !strings.HasPrefix(output, "::add-mask::") {
			t.Errorf("a line of the App's key is shown: %s", output)
		}
	}
}

func TestHalfAnAppIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	run := w.push("main", map[string]string{"infra/variables.yml": variablesYML})
	for _, tc := range []struct{ id, key, want string }{
		{"123", "", "only one of METAPIPE_APP_ID and METAPIPE_APP_PRIVATE_KEY is set"},
		{"", "a key", "only one of METAPIPE_APP_ID and METAPIPE_APP_PRIVATE_KEY is set"},
		{"123", "not a key", "not in PEM form"},
		{"", "", "MANAGER_REPO_PAT is not set"},
	} {
		end := w.newJob(run).with("MANAGER_REPO_PAT=", "METAPIPE_APP_ID="+tc.id, "METAPIPE_APP_PRIVATE_KEY="+tc.key).do(2, "trigger")
		if !strings.Contains(end.log, tc.want) {
			t.Errorf("%q: the error lacks %q:\n%s", tc, tc.want, end.log)
		}
	}
}
