package request

import (
	"maps"
	"strconv"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// asApp takes the job's personal tokens away and gives it the App's key.
func asApp(j *fixture.Job, id int64, key []byte) *fixture.Job {
	return j.With("SOURCE_REPOS_PAT=", "MANAGER_REPO_PAT=", "METAPIPE_APP_ID="+strconv.FormatInt(id, 10), "METAPIPE_APP_PRIVATE_KEY="+string(key))
}

// TestAppsInsteadOfTokens carries a request with two Apps, one for each side, and
// looks whether anything of the key came out or into the tool.
func TestAppsInsteadOfTokens(t *testing.T) {
	t.Parallel()
	// The environment of a real apply, as a command of the root sees it.
	w := fixture.New(t, map[string]string{"terraform/environment.tf": `
resource "terraform_data" "environment" {
  triggers_replace = [var.config.name]
  provisioner "local-exec" {
    command = "env >\"$HOME/environment\""
  }
}
`})
	carrierID, carrierKey, err := w.Hub.AddApp(hub.GitHubApp{Slug: "carrier", Owner: "provider", Repositories: []string{fixture.CustomerSlug},
		Permissions: fixture.Permissions("actions contents", "statuses pull_requests deployments")})
	fixture.Check(t, err)
	senderID, senderKey, err := w.Hub.AddApp(hub.GitHubApp{Slug: "sender", Owner: "acme", Repositories: []string{fixture.ManagerSlug}, Permissions: fixture.Permissions("", "contents")})
	fixture.Check(t, err)

	table := fixture.DocumentedPermissions(t)
	seen := map[string]bool{}
	// narrowed looks whether the tokens that the App has got since the last look can
	// do what the table says, and no more.
	narrowed := func(app string, want map[string]string) {
		t.Helper()
		fresh := 0
		for _, token := range w.Hub.AppTokens(app) {
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
	play := func(run fixture.WorkflowRun, apply bool) {
		triggered := asApp(w.NewJob(run), senderID, senderKey).Start("trigger", "--wait", "1m")
		q := w.Queued()
		narrowed("sender", table[[2]string{"trigger", "MANAGER_REPO_PAT"}])
		fetched := asApp(w.NewJob(q), carrierID, carrierKey).Do(0, "fetch-vars")
		narrowed("carrier", table[[2]string{"fetch-vars", "SOURCE_REPOS_PAT"}])
		r := &fixture.Request{W: w, Trigger: run, Run: q, Customer: fetched.Outputs["customer"], ID: fetched.Outputs["request-id"]}
		// The workflow does not give the key to these; it must not matter if it does.
		asApp(w.NewJob(q), carrierID, carrierKey).Do(0, r.Args("plan", "staging")...)
		if apply {
			asApp(w.NewJob(q), carrierID, carrierKey).Do(0, "report", "--customer", r.Customer, "--request", r.ID, "--applying", "staging")
			narrowed("carrier", map[string]string{"statuses": "write"})
			j := asApp(w.NewJob(q), carrierID, carrierKey)
			j.Do(0, r.Args("apply", "staging")...)
			environment := fixture.ReadOptional(t, j.Dir+"/home/environment")
			if !strings.Contains(environment, "TF_IN_AUTOMATION=1") {
				t.Fatalf("the tool's environment was not seen: %q", environment)
			}
			for _, word := range []string{"METAPIPE_", "PRIVATE KEY", "GITHUB_TOKEN", "_PAT=", "ACTIONS_ID_TOKEN", "ghs_", "github_pat_"} {
				if strings.Contains(environment, word) {
					t.Errorf("the tool sees %s:\n%s", word, environment)
				}
			}
		}
		printed := asApp(w.NewJob(q), carrierID, carrierKey).Do(0, "report", "--customer", r.Customer, "--request", r.ID, "--final")
		printed.Want(t, "outcome=success")
		narrowed("carrier", table[[2]string{"report", "SOURCE_REPOS_PAT"}])
		if !strings.Contains(printed.Log, "requests to GitHub: ") || strings.Contains(printed.Summary, "asked GitHub") {
			t.Errorf("what was asked of GitHub belongs in the log alone:\n%s\n%s", printed.Log, printed.Summary)
		}
		if end := triggered.Wait(); end.Exit != 0 {
			t.Errorf("trigger ended with exit code %d:\n%s", end.Exit, end.Log)
		}
		if apply {
			asApp(w.NewJob(q), carrierID, carrierKey).Do(0, "ledger", "--customer", r.Customer, "--verify")
			narrowed("carrier", map[string]string{"deployments": "read", "statuses": "read"})
		}
	}
	run, number := w.Pull(w.Customer, "change", map[string]string{"infra/variables.yml": fixture.VariablesYML})
	play(run, false)
	play(w.Pushed("main", fixture.Must(w.Customer.MergePull(number, "merge", "casey"))(t)), true)
	wantOneComment(w, "**Applied: ")
	if author := w.Customer.Snapshot().Pulls[0].Comments[0].Author; author != "carrier[bot]" {
		t.Errorf("the comment is by %s", author)
	}
	w.WantNothingPending()

	shown := strings.Join(w.Printed(), "\n")
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
	w := fixture.New(t, nil)
	run := w.Push("main", map[string]string{"infra/variables.yml": fixture.VariablesYML})
	for _, tc := range []struct{ id, key, want string }{
		{"123", "", "only one of METAPIPE_APP_ID and METAPIPE_APP_PRIVATE_KEY is set"},
		{"", "a key", "only one of METAPIPE_APP_ID and METAPIPE_APP_PRIVATE_KEY is set"},
		{"123", "not a key", "not in PEM form"},
		{"", "", "MANAGER_REPO_PAT is not set"},
	} {
		end := w.NewJob(run).With("MANAGER_REPO_PAT=", "METAPIPE_APP_ID="+tc.id, "METAPIPE_APP_PRIVATE_KEY="+tc.key).Do(2, "trigger")
		if !strings.Contains(end.Log, tc.want) {
			t.Errorf("%q: the error lacks %q:\n%s", tc, tc.want, end.Log)
		}
	}
}
