package rehearsal

import (
	"slices"
	"strings"
)

// passed are the variables of the caller that a job gets to see, exact or with a
// star at the end: what a process needs to run at all, to reach package mirrors,
// and the tool's own settings.
var passed = []string{
	"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_*", "TZ", "TMPDIR", "TEMP", "TMP", "XDG_*",
	"SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
	"TF_CLI_CONFIG_FILE", "TF_PLUGIN_CACHE_DIR", "TERRAFORM_CLI_PATH", "TOFU_CLI_PATH", toolVariable,
	"SYSTEMROOT", "SystemRoot", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "PATHEXT", "COMSPEC",
}

// toolVariable names the binary that plans. It is the one variable of metapipe's
// own that passes: it is no secret, and points at nothing on GitHub.
const toolVariable = "METAPIPE_TOOL"

// never are the variables that only the stage may set: one that came from
// outside would make a job act on the real GitHub.
var never = []string{"GITHUB_*", "ACTIONS_*", "METAPIPE_*", "RUNNER_*", "CI", "MANAGER_REPO_*", "SOURCE_REPOS_*"}

// inherited picks what a job may see of the caller's environment; extra are
// further names or patterns.
func inherited(environ, extra []string) []string {
	var out []string
	for _, pair := range environ {
		name, _, ok := strings.Cut(pair, "=")
		if ok && (name == toolVariable || !matches(name, never)) && (matches(name, passed) || matches(name, extra)) {
			out = append(out, pair)
		}
	}
	return out
}

func matches(name string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		prefix, open := strings.CutSuffix(p, "*")
		return name == p || open && strings.HasPrefix(name, prefix)
	})
}
