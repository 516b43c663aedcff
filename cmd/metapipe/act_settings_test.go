package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/store/miniotest"
)

// settings are the secrets and variables of a repository, under the names of the
// setup guide.
type settings struct{ secrets, vars map[string]string }

func (w *actWorld) settings(run workflowRun) settings {
	w.t.Helper()
	s := w.usualSettings(run)
	if w.amend != nil {
		w.amend(run, s)
	}
	return s
}

func (w *actWorld) usualSettings(run workflowRun) settings {
	w.t.Helper()
	name := fmt.Sprintf("act %s %d", run.repo.Slug(), run.run.ID)
	own := []string{run.repo.Slug()}
	if run.repo == w.manager {
		root := w.states.server.Root()
		return settings{map[string]string{
			"METAPIPE_KEY": w.key,
			"GITHUB_TOKEN": w.token(hub.Token{Name: name + " own", Kind: hub.Actions, Repositories: own, Permissions: tokenRights(w.t, "manager/"+filepath.Base(run.run.Path))}),
			"SOURCE_REPOS_PAT": w.token(hub.Token{Name: name + " source", Kind: hub.FineGrained, User: "metapipe-bot", Repositories: w.sources,
				Permissions: permissions("contents actions", "statuses pull_requests issues deployments")}),
			"AWS_ACCESS_KEY_ID": root.AccessKey, "AWS_SECRET_ACCESS_KEY": root.SecretKey,
		}, map[string]string{"TF_STATE_BUCKET": w.states.bucket.Name, "AWS_REGION": w.states.server.Region}}
	}
	if !run.permitsIDToken { // a fork's: no secrets, no variables, a token that only reads
		return settings{secrets: map[string]string{"GITHUB_TOKEN": w.token(hub.Token{Name: name + " own", Kind: hub.Actions, Repositories: own, Permissions: permissions("contents deployments pull_requests statuses", "")})}}
	}
	owner, repository, _ := strings.Cut(managerSlug, "/")
	return settings{map[string]string{
		"GITHUB_TOKEN":     w.token(hub.Token{Name: name + " own", Kind: hub.Actions, Repositories: own, Permissions: tokenRights(w.t, "customer/trigger-infra.yml")}),
		"MANAGER_REPO_PAT": w.token(hub.Token{Name: name + " manager", Kind: hub.FineGrained, User: "metapipe-bot", Repositories: []string{managerSlug}, Permissions: permissions("", "contents")}),
	}, map[string]string{"MANAGER_REPO_OWNER": owner, "MANAGER_REPO_NAME": repository}}
}

// runner is what GitHub's runner would say of the run, and where its S3 is. act
// takes the commit from SHA_REF.
func (w *actWorld) runner(run workflowRun) map[string]string {
	w.t.Helper()
	out := map[string]string{
		"GITHUB_SERVER_URL": w.hub.URL(), "GITHUB_API_URL": w.hub.URL(), "GITHUB_REPOSITORY": run.repo.Slug(), "GITHUB_REPOSITORY_ID": strconv.FormatInt(run.repo.ID(), 10),
		"GITHUB_RUN_ID": strconv.FormatInt(run.run.ID, 10), "GITHUB_RUN_ATTEMPT": strconv.Itoa(run.run.Attempt), "GITHUB_REF": run.ref, "SHA_REF": run.sha,
		"RUNNER_ENVIRONMENT": "github-hosted",
	}
	if run.repo == w.manager {
		for name, value := range w.states.server.Environ(miniotest.Credentials{}) {
			out[name] = value
		}
		delete(out, "AWS_REGION") // the credentials step sets it
	}
	if run.permitsIDToken {
		url, bearer, err := w.hub.OpenJob(hub.IDTokenJob{Repo: run.repo, RunID: run.run.ID, Job: "infrastructure", Ref: run.ref, SHA: run.sha, HeadRef: run.head, BaseRef: run.base})
		check(w.t, err)
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
	check(t, os.WriteFile(file, []byte(text.String()), 0o600))
	return file
}
