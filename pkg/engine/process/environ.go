package process

import (
	"runtime"
	"slices"
	"sort"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/text"
)

// passed are the names, or prefixes ending in "*", that a tool may see: what it
// needs to run, to reach the network and to get its cloud credentials.
var passed = []string{
	"PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "TEMP", "TMP", "TZ",
	"LANG", "LC_*", "SSL_CERT_*",
	"XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME",
	"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
	"AWS_*", "GOOGLE_*", "CLOUDSDK_*", "ARM_*", "AZURE_*",
}

// passedOnWindows is what a process needs there to start at all.
var passedOnWindows = []string{
	"SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "PROGRAMDATA",
	"PROGRAMFILES", "APPDATA", "LOCALAPPDATA", "USERPROFILE", "USERNAME",
	"PROCESSOR_ARCHITECTURE", "NUMBER_OF_PROCESSORS",
}

var envRulePattern = text.Pattern(`^[A-Za-z_][A-Za-z0-9_]*\*?$`)

// allowed reports whether a tool may see the variable. extra are more rules: those of the
// tool itself and those of metapipe.yml.
func allowed(name string, extra []string) bool {
	upper := strings.ToUpper(name)
	if pipeline.DeniedToTool(name) {
		return false
	}
	if runtime.GOOS == "windows" {
		return matches(upper, passed) || matches(upper, passedOnWindows) || matches(upper, extra)
	}
	return matches(name, passed) || matches(name, extra)
}

// PassedByRule reports whether a rule of tool.env names the variable.
func PassedByRule(name string, rules []string) bool {
	if runtime.GOOS == "windows" {
		name = strings.ToUpper(name)
	}
	return matches(name, rules)
}

func matches(name string, rules []string) bool {
	for _, rule := range rules {
		prefix, wild := strings.CutSuffix(rule, "*")
		if name == rule || wild && strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// Environ is the environment of this process as "NAME=value". A tool sees an
// allow-list of it.
type Environ []string

func (e Environ) names() []string {
	seen := make(map[string]bool, len(e))
	var names []string
	for _, pair := range e {
		name, _, ok := strings.Cut(pair, "=")
		if ok && name != "" && !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names
}

// Get returns the last value of name, as the C library and Go do.
func (e Environ) Get(name string) string {
	value := ""
	for _, pair := range e {
		if n, v, ok := strings.Cut(pair, "="); ok && (n == name || runtime.GOOS == "windows" && strings.EqualFold(n, name)) {
			value = v
		}
	}
	return value
}

// Allowed is what of it a tool may see: the names that every tool needs, those of this tool
// and those that its rule in metapipe.yml lists.
func (e Environ) Allowed(rule pipeline.ToolRule, own ...string) ([]string, error) {
	for _, extra := range rule.Env {
		if !envRulePattern().MatchString(extra) {
			return nil, pipeline.Usagef("tool.env: %q is no name of an environment variable", extra).
				Nextf(`write a name such as "VAULT_ADDR", or a prefix such as "VAULT_*"`)
		}
	}
	var env []string
	for _, name := range e.names() {
		if allowed(name, slices.Concat(own, rule.Env)) {
			env = append(env, name+"="+e.Get(name))
		}
	}
	return env, nil
}
