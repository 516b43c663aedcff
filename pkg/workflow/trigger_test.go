package workflow_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/metapipe/metapipe/pkg/workflow"
)

// TestTriggerNeedsAnIDToken: a job that sends requests and may not sign them is named, in
// each way that GitHub lets permissions be written.
func TestTriggerNeedsAnIDToken(t *testing.T) {
	t.Parallel()
	const job = "jobs:\n  deploy:\n    runs-on: x\n%s    steps:\n      - run: metapipe trigger\n"
	for text, want := range map[string]string{
		fmt.Sprintf(job, ""): "job \"deploy\" has no permission", fmt.Sprintf(job, "    permissions: {contents: read}\n"): ".github/workflows/trigger-infra.yml:4: ",
		fmt.Sprintf(job, "    permissions: read-all\n"): "no permission", fmt.Sprintf(job, "    permissions: write-all\n"): "",
		fmt.Sprintf(job, "    permissions: {id-token: read}\n"): "no permission", fmt.Sprintf(job, "    permissions: {id-token: write}\n"): "",
		"permissions: {id-token: write}\n" + fmt.Sprintf(job, ""): "", "permissions: {id-token: write}\n" + fmt.Sprintf(job, "    permissions: {}\n"): "no permission",
		"jobs: {test: {steps: [{run: make}]}, deploy: {permissions: {id-token: write}, steps: [{run: metapipe trigger}]}}\n": "",
	} {
		problems, found := workflow.CheckTrigger(fstest.MapFS{".github/workflows/trigger-infra.yml": {Data: []byte(text)}})
		if got := problems.Error(); !found || want == "" && len(problems) > 0 || want != "" && (len(problems) != 1 || !strings.Contains(got, want) || !problems[0].Warning) {
			t.Errorf("%s: %v, %s", text, found, got)
		}
	}
}

// TestTriggerIsFound in the ways that scripts break their lines.
func TestTriggerIsFound(t *testing.T) {
	t.Parallel()
	for script, want := range map[string]bool{
		"metapipe trigger": true, "metapipe \\\n  trigger --wait 1h": true, "metapipe \\\r\n trigger": true, "./bin/metapipe `\n  trigger": true, "metapipe.exe ^\n trigger": true,
		`"$HOME/bin/metapipe" trigger`: true, "exec metapipe\ttrigger": true, "metapipe validate\ntrigger": false, "echo metapipe \\\\": false, "metapipe-old trigger": false, "metapipe triggers": false,
	} {
		text := "jobs:\n  a:\n    permissions: {id-token: write}\n    steps:\n      - run: |\n          " + strings.ReplaceAll(script, "\n", "\n          ") + "\n"
		problems, found := workflow.CheckTrigger(fstest.MapFS{".github/workflows/ci.yml": {Data: []byte(text)}})
		if found != want || found != (len(problems) == 1) {
			t.Errorf("%q: found %v, %v", script, found, problems)
		}
	}
}
