package workflow

import (
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/text"
)

// Find finds the workflow in a checkout that runs one of the commands of metapipe in a step. Where several do, the
// name that the manager accepts from customers comes first.
func Find(root fs.FS, commands ...string) (file string, found bool) {
	return runs(workflowTexts(root), commands...)
}

var anyCommand = text.Pattern(`(?m)(?:^|[\s/;&|("'])metapipe(?:\.exe)?["']?[ \t]+([a-z][a-z-]*)[^\n]*`)

var setting = text.Pattern(`\b(secrets|vars)\s*\.\s*([A-Za-z_][A-Za-z0-9_]*)`)

// Settings are the secrets and variables that the workflows of a checkout read by their names, such as
// "secrets.METAPIPE_KEY", each once and in the order of their names.
func Settings(root fs.FS) []string {
	seen := map[string]bool{}
	for _, content := range workflowTexts(root) {
		for _, name := range SettingsIn(content) {
			seen[name] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// SettingsIn are those of one workflow, as they come.
func SettingsIn(content string) (names []string) {
	for _, hit := range setting().FindAllStringSubmatch(content, -1) {
		names = append(names, hit[1]+"."+strings.ToUpper(hit[2]))
	}
	return names
}

// CommandOf is the first command of metapipe that a script runs, such as "plan", and the line of it; empty for none.
func CommandOf(script string) (command, line string) {
	hit := anyCommand().FindStringSubmatch(joinedLines(script))
	if hit == nil {
		return "", ""
	}
	return hit[1], hit[0]
}
