package act

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/store/miniotest"
)

// settings are the secrets and variables of a repository, under the names of the
// setup guide.
type settings struct{ secrets, vars map[string]string }

func (w *actSetup) settings(run fixture.WorkflowRun) settings {
	w.T.Helper()
	s := w.usualSettings(run)
	if w.amend != nil {
		w.amend(run, s)
	}
	return s
}

func (w *actSetup) usualSettings(run fixture.WorkflowRun) settings {
	w.T.Helper()
	name := fmt.Sprintf("act %s %d attempt %d", run.Repo.Slug(), run.Run.ID, run.Run.Attempt)
	own := []string{run.Repo.Slug()}
	if run.Repo.Slug() == fixture.InboxSlug {
		return w.inboxSettings(name)
	}
	if run.Repo == w.Manager {
		root := w.states.Server.Root()
		return settings{map[string]string{
			"METAPIPE_KEY": w.Key,
			"GITHUB_TOKEN": w.Token(hub.Token{Name: name + " own", Kind: hub.Actions, Repositories: own, Permissions: tokenRights(w.T, "manager/"+filepath.Base(run.Run.Path))}),
			"SOURCE_REPOS_PAT": w.Token(hub.Token{Name: name + " source", Kind: hub.FineGrained, User: "metapipe-bot", Repositories: w.sources,
				Permissions: fixture.Permissions("contents actions", "statuses pull_requests issues deployments")}),
			"SOURCE_REPOS_READ_PAT": w.Token(hub.Token{Name: name + " source, read only", Kind: hub.FineGrained, User: "metapipe-bot", Repositories: w.sources,
				Permissions: fixture.Permissions("contents deployments", "")}),
			"AWS_ACCESS_KEY_ID": root.AccessKey, "AWS_SECRET_ACCESS_KEY": root.SecretKey,
		}, map[string]string{"TF_STATE_BUCKET": w.states.Bucket.Name, "AWS_REGION": w.states.Server.Region}}
	}
	if !run.PermitsIDToken { // a fork's: no secrets, no variables, a token that only reads
		return settings{secrets: map[string]string{"GITHUB_TOKEN": w.Token(hub.Token{Name: name + " own", Kind: hub.Actions, Repositories: own, Permissions: fixture.Permissions("contents deployments pull_requests statuses", "")})}}
	}
	owner, repository, _ := strings.Cut(fixture.ManagerSlug, "/")
	return settings{map[string]string{
		"GITHUB_TOKEN":     w.Token(hub.Token{Name: name + " own", Kind: hub.Actions, Repositories: own, Permissions: tokenRights(w.T, "customer/trigger-infra.yml")}),
		"MANAGER_REPO_PAT": w.Token(hub.Token{Name: name + " manager", Kind: hub.FineGrained, User: "metapipe-bot", Repositories: []string{fixture.ManagerSlug}, Permissions: fixture.Permissions("", "contents")}),
	}, map[string]string{"MANAGER_REPO_OWNER": owner, "MANAGER_REPO_NAME": repository}}
}

// runner is what GitHub's runner would say of the run, and where its S3 is. act
// takes the commit from SHA_REF.
func (w *actSetup) runner(run fixture.WorkflowRun) map[string]string {
	w.T.Helper()
	out := map[string]string{
		"GITHUB_SERVER_URL": w.Hub.URL(), "GITHUB_API_URL": w.Hub.URL(), "GITHUB_REPOSITORY": run.Repo.Slug(), "GITHUB_REPOSITORY_ID": strconv.FormatInt(run.Repo.ID(), 10),
		"GITHUB_RUN_ID": strconv.FormatInt(run.Run.ID, 10), "GITHUB_RUN_ATTEMPT": strconv.Itoa(run.Run.Attempt), "GITHUB_REF": run.Ref, "SHA_REF": run.SHA,
		"RUNNER_ENVIRONMENT": "github-hosted",
	}
	if run.Repo == w.Manager {
		for name, value := range w.states.Server.Environ(miniotest.Credentials{}) {
			out[name] = value
		}
		delete(out, "AWS_REGION") // the credentials step sets it
	}
	if run.PermitsIDToken {
		url, bearer, err := w.Hub.OpenJob(hub.IDTokenJob{Repo: run.Repo, RunID: run.Run.ID, Job: "infrastructure", Ref: run.Ref, SHA: run.SHA, HeadRef: run.Head, BaseRef: run.Base})
		fixture.Check(w.T, err)
		out["ACTIONS_ID_TOKEN_REQUEST_URL"], out["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] = url, bearer
	}
	return out
}

// writeDotenv writes a file of NAME='value' lines. Values of several lines stand in
// double quotes, where more characters mean something.
func writeDotenv(t *testing.T, dir, name string, values map[string]string) string {
	t.Helper()
	var text strings.Builder
	for key, value := range values {
		quote := "'"
		if strings.Contains(value, "\n") {
			quote = `"`
		}
		if strings.Contains(value, quote) || quote == `"` && strings.ContainsAny(value, `$\`) {
			t.Fatalf("%s cannot be written into a file of variables", key)
		}
		fmt.Fprintf(&text, "%s=%s%s%s\n", key, quote, strings.ReplaceAll(value, "\n", `\n`), quote)
	}
	file := filepath.Join(dir, name)
	fixture.Check(t, os.WriteFile(file, []byte(text.String()), 0o600))
	return file
}
