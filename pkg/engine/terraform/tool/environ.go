package tool

import (
	"runtime"
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
	"TF_CLI_CONFIG_FILE", "TF_PLUGIN_CACHE_DIR",
}

// passedOnWindows is what a process needs there to start at all.
var passedOnWindows = []string{
	"SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "PROGRAMDATA",
	"PROGRAMFILES", "APPDATA", "LOCALAPPDATA", "USERPROFILE", "USERNAME",
	"PROCESSOR_ARCHITECTURE", "NUMBER_OF_PROCESSORS",
}

var envRulePattern = text.Pattern(`^[A-Za-z_][A-Za-z0-9_]*\*?$`)

// allowed reports whether a tool may see the variable. extra are the rules of
// metapipe.yml.
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

// isToolSetting reports whether terraform-exec refuses to set the variable.
func isToolSetting(name string) bool { return strings.HasPrefix(name, "TF_") }

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

// ForTool is the whole environment of the tool's processes.
func (e Environ) ForTool(rule pipeline.ToolRule, dataDir string) ([]string, error) {
	for _, extra := range rule.Env {
		if !envRulePattern().MatchString(extra) {
			return nil, pipeline.Usagef("tool.env: %q is no name of an environment variable", extra).
				Nextf(`write a name such as "VAULT_ADDR", or a prefix such as "VAULT_*"`)
		}
	}
	var env []string
	for _, name := range e.names() {
		if !allowed(name, rule.Env) {
			continue
		}
		value := e.Get(name)
		// The tool warns on each call when this file is not there.
		if name == "TF_CLI_CONFIG_FILE" && !isRegular(value) {
			continue
		}
		env = append(env, name+"="+value)
	}
	return append(env,
		"TF_IN_AUTOMATION=1",
		"TF_INPUT=0",
		"TF_DATA_DIR="+dataDir,
		"CHECKPOINT_DISABLE=1",
	), nil
}
