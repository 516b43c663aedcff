package workflow

import (
	"io/fs"

	"github.com/metapipe/metapipe/pkg/text"
)

// Find finds the workflow in a checkout that runs one of the commands of metapipe in a step. Where several do, the
// name that the manager accepts from customers comes first.
func Find(root fs.FS, commands ...string) (file string, found bool) {
	return runs(workflowTexts(root), commands...)
}

var anyCommand = text.Pattern(`(?m)(?:^|[\s/;&|("'])metapipe(?:\.exe)?["']?[ \t]+([a-z][a-z-]*)[^\n]*`)

// CommandOf is the first command of metapipe that a script runs, such as "plan", and the line of it; empty for none.
func CommandOf(script string) (command, line string) {
	hit := anyCommand().FindStringSubmatch(joinedLines(script))
	if hit == nil {
		return "", ""
	}
	return hit[1], hit[0]
}
