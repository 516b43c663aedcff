package pipeline

import "testing"

func TestWithheld(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"METAPIPE_KEY": true, "metapipe_key": true, "GITHUB_TOKEN": true, "MY_PAT": true, "TF_CLI_ARGS": true, "TF_CLI_ARGS_plan": true,
		"TF_LOG_PATH": true, "INPUT_X": true, "VAULT_ADDR": false, "GITHUB_SHA": false, "PATH": false, "TF_CLI_CONFIG_FILE": false, "": false,
	} {
		if got := DeniedToTool(name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
	for pattern, want := range map[string]string{
		"VAULT_*": "", "VAULT_ADDR": "", "TF_*": "TF_VAR_*", "METAPIPE_KEY": "METAPIPE_*", "METAPIPE_K*": "METAPIPE_*", "GITHUB_*": "GITHUB_TOKEN",
		"GITHUB_TOKEN": "GITHUB_TOKEN", "TF_LOG": "TF_LOG*", "CHECK*": "CHECKPOINT_DISABLE", "MY_PAT": "*_PAT", "MY_*": "", "TF_INPUT_X*": "", "gh_token": "GH_TOKEN",
	} {
		if got := DeniedByRule(pattern); got != want {
			t.Errorf("%q: %q, want %q", pattern, got, want)
		}
	}
}
