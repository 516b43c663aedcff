package cli

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	repositoryJSON = `"repository":{"id":7,"full_name":"acme/shop","default_branch":"main"},"sender":{"login":"ada"}`
	sha            = `"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"`
)

// TestLocalChecksComeFirst: what is wrong with the event, its file or the flags is said
// while nothing of GitHub answers, at once and without a word of tokens.
func TestLocalChecksComeFirst(t *testing.T) {
	t.Parallel()
	closed := `{"action":"closed","number":5,"pull_request":{"number":5,"state":"closed","head":{"sha":` + sha + `,"ref":"x","repo":{"id":7}},"base":{"sha":` + sha + `,"repo":{"id":7}}},` + repositoryJSON + `}`
	for name, c := range map[string]struct {
		args, event, payload, want string
		exit                       int
	}{
		"fetch-vars on a push":           {"fetch-vars", "push", tagPush, `started by "push"`, ExitUsage},
		"fetch-vars on a schedule":       {"fetch-vars", "schedule", `{"schedule":"5 4 * * *"}`, "--customer", ExitUsage},
		"fetch-vars by hand":             {"fetch-vars", "workflow_dispatch", `{"ref":"refs/heads/main",` + repositoryJSON + `}`, "--customer", ExitUsage},
		"fetch-vars, a cut file":         {"fetch-vars", "repository_dispatch", `{"branch":"main"`, "GITHUB_EVENT_PATH", ExitUsage},
		"fetch-vars, no repository":      {"fetch-vars", "repository_dispatch", `{"branch":"main"}`, "does not say what the default branch", ExitRejected},
		"fetch-vars, schedule, customer": {"fetch-vars --customer shop", "schedule", `{"schedule":"5 4 * * *"}`, "GITHUB_EVENT_PATH", ExitUsage},
		"fetch-vars, a mode":             {"fetch-vars --customer shop --mode all", "workflow_dispatch", `{` + repositoryJSON + `}`, "--mode", ExitUsage},
		"fetch-vars, a commit":           {"fetch-vars --customer shop --commit main", "workflow_dispatch", `{` + repositoryJSON + `}`, "--commit", ExitUsage},
		"fetch-vars, another payload":    {"fetch-vars", "repository_dispatch", `{"branch":"main","client_payload":{"hello":1},` + repositoryJSON + `}`, `unknown field "hello"`, ExitRejected},
		"trigger on a schedule":          {"trigger", "schedule", `{"schedule":"5 4 * * *"}`, "run trigger on push", ExitUsage},
		"trigger on a dispatch":          {"trigger", "repository_dispatch", `{"branch":"main",` + repositoryJSON + `}`, "run trigger on push", ExitUsage},
		"trigger on a closed one":        {"trigger", "pull_request", closed, "the pull request is closed", 0},
		"trigger on a fork's target":     {"trigger", "pull_request_target", closed, "use `on: pull_request`", ExitUsage},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out, complaints bytes.Buffer
			environ := append(pushJob(t, c.event, c.payload), "METAPIPE_KEY=MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", "SOURCE_REPOS_PAT=github_pat_0123456789012345678901", "METAPIPE_STORE="+filepath.Join(t.TempDir(), "store"))
			app := testApp(&out, &complaints, environ...)
			app.Dir = managerTree(t)
			app.Now = time.Now
			began := time.Now()
			code := Main(t.Context(), strings.Fields(c.args), app)
			all := complaints.String() + out.String()
			if code != c.exit || !strings.Contains(all, c.want) || strings.Contains(strings.ReplaceAll(all, "::add-mask::", ""), "token") {
				t.Errorf("exit code %d, want %d and %q:\n%s", code, c.exit, c.want, all)
			}
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}
