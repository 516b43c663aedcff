package cli

import (
	"bytes"
	"strings"
	"testing"
)

func TestSecretsAreMaskedFirst(t *testing.T) {
	t.Parallel()
	names := []string{"GITHUB_TOKEN", "MANAGER_REPO_PAT", "SOURCE_REPOS_PAT", "METAPIPE_APP_PRIVATE_KEY", "METAPIPE_KEY", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
	environ := []string{"GITHUB_ACTIONS=true", "GITHUB_REPOSITORY=provider/infra", "GITHUB_REPOSITORY_ID=1", "GITHUB_RUN_ID=2", "GITHUB_RUN_ATTEMPT=1",
		"GITHUB_SHA=" + strings.Repeat("a", 40), "GITHUB_REF=refs/heads/main", "GITHUB_EVENT_NAME=push", "GITHUB_ACTOR=robin", "GITHUB_JOB=plan"}
	for _, name := range names {
		environ = append(environ, name+"=value of "+name)
	}
	var out, complaints bytes.Buffer
	Main(t.Context(), []string{"state", "list", "--manager-dir", t.TempDir()}, App{Out: &out, Err: &complaints, Environ: environ, Dir: t.TempDir()})
	masks, rest, _ := strings.Cut(out.String(), "::error")
	for _, name := range names {
		if want := "::add-mask::value of " + name + "\n"; !strings.Contains(masks, want) || strings.Contains(rest, "::add-mask::") {
			t.Errorf("no %q before everything else:\n%s\n%s", want, &out, &complaints)
		}
	}
}
