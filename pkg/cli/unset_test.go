package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestMissingSecretsAtOnce: a command that lacks several secrets names all of them, with
// what to do for each, and none that is set.
func TestMissingSecretsAtOnce(t *testing.T) {
	t.Parallel()
	const (
		key     = "METAPIPE_KEY=MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
		own     = "GITHUB_TOKEN=ghs_0123456789012345678901234567890123456"
		manual  = " --customer blog --environment staging"
		request = " --customer blog --request c31892b2-0000-4000-8000-000000000001"
	)
	dir, event := managerTree(t), filepath.Join(t.TempDir(), "event.json")
	if err := os.WriteFile(event, []byte(`{"ref": "refs/heads/main", "sender": {"id": 1, "login": "robin"}, "repository": {"id": 1, "full_name": "provider/infra", "default_branch": "main"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args    string
		environ []string
		want    string
		not     []string
	}{
		{"sweep", nil, "METAPIPE_KEY, GITHUB_TOKEN and SOURCE_REPOS_PAT are not set", nil},
		{"sweep --fix", []string{"GITHUB_ACTIONS=false"}, "METAPIPE_KEY, GITHUB_TOKEN and SOURCE_REPOS_PAT are not set", []string{"env:"}},
		{"sweep", []string{key}, "GITHUB_TOKEN and SOURCE_REPOS_PAT are not set", []string{"METAPIPE_KEY"}},
		{"sweep", []string{own}, "METAPIPE_KEY and SOURCE_REPOS_PAT are not set", []string{"GITHUB_TOKEN"}},
		{"sweep", []string{"METAPIPE_APP_ID=1", "METAPIPE_APP_PRIVATE_KEY=no-key-at-all"}, "METAPIPE_KEY and GITHUB_TOKEN are not set", []string{"SOURCE_REPOS_PAT"}},
		{"sweep", []string{key, own}, "SOURCE_REPOS_PAT is not set", []string{"METAPIPE_KEY", "GITHUB_TOKEN"}},
		{"fetch-vars" + manual, nil, "METAPIPE_KEY and SOURCE_REPOS_PAT are not set", nil},
		{"report" + request, nil, "METAPIPE_KEY and SOURCE_REPOS_PAT are not set", nil},
		{"apply" + request + " --environment staging --receipt x", nil, "METAPIPE_KEY and GITHUB_TOKEN are not set", nil},
		{"drift", nil, "METAPIPE_KEY and SOURCE_REPOS_PAT are not set", nil},
		{"drift --remediate", nil, "METAPIPE_KEY, GITHUB_TOKEN and SOURCE_REPOS_PAT are not set", nil},
		{"drift --issues 3", []string{own}, "METAPIPE_KEY and SOURCE_REPOS_PAT are not set", nil},
		{"drift list", nil, "METAPIPE_KEY is not set", []string{"SOURCE_REPOS_PAT"}},
	} {
		t.Run(c.args, func(t *testing.T) {
			t.Parallel()
			var out, complaints bytes.Buffer
			app := testApp(&out, &complaints, append([]string{"METAPIPE_STORE=" + t.TempDir(), "GITHUB_EVENT_NAME=workflow_dispatch", "GITHUB_EVENT_PATH=" + event}, c.environ...)...)
			app.Dir, app.Now = dir, time.Now
			code := Main(t.Context(), strings.Fields(c.args), app)
			if code != ExitUsage || !strings.Contains(complaints.String(), c.want) {
				t.Errorf("exit code %d, want %q: %s", code, c.want, &complaints)
			}
			if arrows := strings.Count(complaints.String(), "→"); arrows > 1 {
				t.Errorf("%d arrows in: %s", arrows, &complaints)
			}
			for _, not := range c.not {
				if strings.Contains(complaints.String(), not) {
					t.Errorf("%q in: %s", not, &complaints)
				}
			}
		})
	}
}
