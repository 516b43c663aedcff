package rehearsal

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestInherited(t *testing.T) {
	t.Parallel()
	got := inherited([]string{
		"PATH=/bin", "HOME=/h", "LC_ALL=C", "TF_CLI_CONFIG_FILE=/rc", "AWS_REGION=eu", "AWS_SECRET=1", "GITHUB_TOKEN=t", "ACTIONS_X=1",
		"METAPIPE_KEY=k", "METAPIPE_TOOL=/t", "SOURCE_REPOS_PAT=p", "CI=1", "TF_VAR_x=1", "EDITOR=vi", "odd",
	}, []string{"AWS_REGION", "TF_VAR_*", "GITHUB_*"})
	want := []string{"PATH=/bin", "HOME=/h", "LC_ALL=C", "TF_CLI_CONFIG_FILE=/rc", "AWS_REGION=eu", "METAPIPE_TOOL=/t", "TF_VAR_x=1"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
