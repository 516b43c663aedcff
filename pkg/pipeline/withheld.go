package pipeline

import "strings"

// deniedEnv are the variables that a tool never gets, whatever metapipe.yml asks
// for: metapipe's and the runner's own tokens and keys, and what would steer the
// tool behind the receipt's back. A rule that ends in "*" stands for a family.
var deniedEnv = [...]string{
	"METAPIPE_*", "ACTIONS_*", "GITHUB_TOKEN", "GH_TOKEN", "INPUT_*",
	"MANAGER_REPO_PAT", "SOURCE_REPOS_PAT", "*_PAT", "SPACELIFT_API_KEY_SECRET",
	"TF_VAR_*", "TF_CLI_ARGS*", "TF_WORKSPACE", "TF_DATA_DIR", "TF_INPUT",
	"TF_IN_AUTOMATION", "TF_LOG*", "TF_REATTACH_PROVIDERS", "CHECKPOINT_DISABLE",
}

// DeniedToTool reports whether no tool may get the environment variable.
// Names count in any case, as they do on Windows.
func DeniedToTool(name string) bool {
	for _, rule := range deniedEnv {
		if ruleCovers(rule, strings.ToUpper(name)) {
			return true
		}
	}
	return false
}

// DeniedByRule returns the first rule of what is withheld that a name, or a
// prefix ending in "*", would pass to a tool; "" when there is none. A prefix
// that only might meet a rule about endings passes what else it names.
func DeniedByRule(pattern string) string {
	upper := strings.ToUpper(pattern)
	prefix, wild := strings.CutSuffix(upper, "*")
	for _, rule := range deniedEnv {
		family, _ := strings.CutSuffix(rule, "*")
		if ruleCovers(rule, prefix) && (!wild || strings.HasSuffix(rule, "*")) || wild && !strings.HasPrefix(rule, "*") && strings.HasPrefix(family, prefix) {
			return rule
		}
	}
	return ""
}

// ruleCovers reports whether a rule with at most one "*", at an end, names it.
func ruleCovers(rule, name string) bool {
	if suffix, ok := strings.CutPrefix(rule, "*"); ok {
		return strings.HasSuffix(name, suffix)
	}
	if prefix, ok := strings.CutSuffix(rule, "*"); ok {
		return strings.HasPrefix(name, prefix)
	}
	return name == rule
}
