package rehearsal

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/workflow"
	"github.com/metapipe/metapipe/workflows"
)

// edited is the tiny manager with the shipped workflows for dev and live, where each edit replaces the first text by
// the second one, once.
func edited(t *testing.T, name string, edits ...string) map[string]string {
	t.Helper()
	files := map[string]string{"terraform/main.tf": tinyManager, "metapipe.yml": "customer_variables: [\"*\"]\nenvironments: [{name: dev}, {name: live, gated: true}]\n"}
	must(t, fs.WalkDir(workflows.Files, "manager", func(p string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		raw, err := fs.ReadFile(workflows.Files, p)
		must(t, err)
		to := path.Join(workflow.Dir, path.Base(p))
		if to == workflow.File {
			raw, err = workflow.Write(raw, []pipeline.Target{{Environment: "dev"}, {Environment: "live"}})
			must(t, err)
		}
		files[to] = string(raw)
		return nil
	}))
	for i := 0; i+1 < len(edits); i += 2 {
		at := path.Join(workflow.Dir, name)
		if !strings.Contains(files[at], edits[i]) {
			t.Fatalf("%s has no %q", at, edits[i])
		}
		files[at] = strings.Replace(files[at], edits[i], edits[i+1], 1)
	}
	return files
}

// beforePlan is where a step of the provider's own stands in infra-target.yml.
const beforePlan = "      - id: plan\n"

// TestEditedWorkflowIsPlayed: what the provider has changed in the files is what the rehearsal shows.
func TestEditedWorkflowIsPlayed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		edits []string
		more  map[string]string
		steps []string
		says  []string
		fails string // a part of the error
	}{
		"own steps": {edits: []string{beforePlan, "      - uses: acme/notify@v1\n        with: {text: a plan begins}\n      - name: Own check\n        run: echo \"checked $(ls customers | wc -l) customers\"\n" + beforePlan},
			more: map[string]string{".rehearsal/actions/acme/notify/action.yml": "inputs: {text: {required: true}}\nruns: {using: composite, steps: [{name: Notify, shell: bash, run: 'echo \"would say: ${{ inputs.text }}\"'}]}\n"},
			says: []string{"dev / plan › Notify", "would say: a plan begins", "dev / plan › Own check", "checked 1 customers"}, steps: []string{"Pull request: ok", "Merge: ok", "Second push: ok", "A mistake: ok"}},
		"a token of an App": {edits: []string{beforePlan, "      - id: app\n        uses: actions/create-github-app-token@v2\n        with: {app-id: \"${{ vars.APP }}\", private-key: \"${{ secrets.KEY }}\", permission-contents: read}\n      - name: Own check\n        env: {TOKEN: \"${{ steps.app.outputs.token }}\"}\n        run: echo \"a token of ${#TOKEN} characters, $TOKEN\"\n" + beforePlan},
			says: []string{"characters, ***", "These settings of the manager have no value here: secrets.KEY, vars.APP."}, steps: []string{"Pull request: ok", "Merge: ok", "Second push: ok", "A mistake: ok"}},
		"a version that is none": {edits: []string{"          version: v0.1.0\n", "          version: latest\n"},
			says: []string{`must be a release such as v0.1.0`}, steps: []string{"Pull request: not ok", "Merge: left out", "A mistake: ok"}},
		"a step that fails": {edits: []string{beforePlan, "      - name: Own check\n        run: echo no disk >&2; exit 3\n" + beforePlan}, fails: `the first step that failed: the step "Own check" of the job dev / plan (.github/workflows/infra-target.yml:`,
			says: []string{"dev / plan › Own check  failed (exit code 3)", "no disk"}, steps: []string{"Pull request: not ok", "Merge: left out", "A mistake: ok"}},
		"a wrong condition": {edits: []string{"needs.plan.outputs.outcome == 'waiting'", "needs.plan.outputs.outcome == 'never'"},
			steps: []string{"Pull request: ok", "Merge: not ok", "Second push: left out", "A mistake: ok"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var terminal bytes.Buffer
			o := options(t, tinyVariables, &terminal)
			files := edited(t, "infra-target.yml", c.edits...)
			for name, text := range c.more {
				files[name] = text
			}
			o.ManagerDir = tree(t, files)
			r, err := Run(t.Context(), o)
			var failed *pipeline.FailedError
			if err != nil && !errors.As(err, &failed) {
				t.Fatalf("%v\n%s", err, terminal.String())
			}
			wantSteps(t, r, c.steps...)
			for _, text := range c.says {
				wantPart(t, terminal.String(), text)
			}
			if c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails)) {
				t.Errorf("error %v, want %q", err, c.fails)
			}
			if len(r.Pending) > 0 {
				t.Errorf("pending: %v", r.Pending)
			}
		})
	}
}

// TestRemovedGateIsRefused: without `environment:` nobody is asked, and metapipe refuses the apply.
func TestRemovedGateIsRefused(t *testing.T) {
	t.Parallel()
	var terminal bytes.Buffer
	o := options(t, tinyVariables, &terminal)
	files := edited(t, "infra-target.yml")
	at := path.Join(workflow.Dir, gateFile(files))
	lines := strings.SplitAfter(files[at], "\n")
	files[at] = ""
	for _, line := range lines {
		if !strings.Contains(line, "environment: ${{ inputs.environment }}-apply") {
			files[at] += line
		}
	}
	o.ManagerDir = tree(t, files)
	r, err := Run(t.Context(), o)
	var failed *pipeline.FailedError
	if !errors.As(err, &failed) {
		t.Fatalf("%v\n%s", err, terminal.String())
	}
	wantSteps(t, r, "Pull request: ok", "Merge: not ok", "Second push: left out", "A mistake: ok")
	if strings.Contains(terminal.String(), "▸ live waits for approval") {
		t.Error("somebody was asked")
	}
	wantPart(t, terminal.String(), "live / apply / apply  refused: missing-protection")
}

// TestGateOfAnother: an apply that does not wait at the gate of its own target is not as it should be, also where the
// gate of another job lets it pass.
func TestGateOfAnother(t *testing.T) {
	t.Parallel()
	const gate = "    environment: ${{ inputs.environment }}-apply # its reviewers are the gate\n"
	for name, c := range map[string]struct{ by, says string }{
		"none":          {"", `the job dev / apply / apply has the environment ""`},
		"always of dev": {"    environment: dev-apply\n", `the job live / apply / apply has the environment "dev-apply", and not live-apply`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var terminal bytes.Buffer
			o := options(t, tinyVariables, &terminal)
			o.ManagerDir = tree(t, edited(t, "infra-apply.yml", gate, c.by))
			if r, err := Run(t.Context(), o); err == nil || r.OK() {
				t.Errorf("all is well:\n%s", terminal.String())
			}
			wantPart(t, terminal.String(), "Merge")
			if !strings.Contains(strings.Join(strings.Fields(terminal.String()), " "), c.says) {
				t.Errorf("no %q:\n%s", c.says, terminal.String())
			}
		})
	}
}

// gateFile is the workflow whose jobs wait for the reviewers of an apply.
func gateFile(files map[string]string) string {
	for name, text := range files {
		if strings.Contains(text, "environment: ${{ inputs.environment }}-apply") {
			return path.Base(name)
		}
	}
	return ""
}

// TestWorkflowThatCannotRun is refused before anything runs, with its place.
func TestWorkflowThatCannotRun(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		edits []string
		want  string
	}{
		"condition":      {[]string{"needs.plan.outputs.outcome == 'waiting'", "needs.plan.outputs.outcome = 'waiting'"}, ".github/workflows/infra-target.yml:"},
		"unknown action": {[]string{beforePlan, "      - uses: acme/notify@v1\n" + beforePlan}, "the action acme/notify@v1 cannot run here: write .rehearsal/actions/acme/notify/action.yml"},
		"unknown need":   {[]string{"needs: plan", "needs: plans"}, `needs "plans", and there is no such job`},
	} {
		o := options(t, tinyVariables, nil)
		o.ManagerDir = tree(t, edited(t, "infra-target.yml", c.edits...))
		_, err := Run(t.Context(), o)
		var usage *pipeline.UsageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// TestOtherJobsOfTheCustomer are not played: what they deploy is not part of a rehearsal.
func TestOtherJobsOfTheCustomer(t *testing.T) {
	t.Parallel()
	var terminal bytes.Buffer
	o := options(t, tinyVariables, &terminal)
	own, err := fs.ReadFile(workflows.Files, "customer/trigger-infra.yml")
	must(t, err)
	o.CustomerDir = tree(t, map[string]string{"infra/variables.yml": tinyVariables,
		".github/workflows/trigger-infra.yml": string(own) + "  deploy:\n    needs: infrastructure\n    runs-on: ubuntu-latest\n    steps:\n      - run: touch \"" + t.TempDir() + "/deployed\"; echo deployed the app\n"})
	o.Approve, o.CustomerWorkflow = ApproveNo, true
	if _, err := Run(t.Context(), o); err != nil {
		t.Fatalf("%v\n%s", err, terminal.String())
	}
	wantPart(t, strings.Join(strings.Fields(terminal.String()), " "), "the jobs that do not run metapipe are not played (deploy)")
	if strings.Contains(terminal.String(), "deployed the app") {
		t.Error("the job has run")
	}
}

// TestWorkflowOfACustomer: nothing that a customer has written into its workflow runs on the machine of whoever
// rehearses with its checkout, unless they say so.
func TestWorkflowOfACustomer(t *testing.T) {
	t.Parallel()
	own, err := fs.ReadFile(workflows.Files, "customer/trigger-infra.yml")
	must(t, err)
	for name, edit := range map[string][2]string{
		"a step": {"      # Runs for forks", "      - run: touch \"$CANARY/ran\"\n      # Runs for forks"}, "a script": {"run: exec metapipe trigger", "run: touch \"$CANARY/ran\"; exec metapipe trigger"},
		"a variable": {"permissions: {}", "permissions: {}\n\nenv: {BASH_ENV: evil.sh}"}, "a shell": {"permissions: {}", "permissions: {}\n\ndefaults: {run: {shell: 'bash evil.sh {0}'}}"},
		"an action": {"      # Runs for forks", "      - uses: ./evil\n      # Runs for forks"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			canary := t.TempDir()
			text := strings.ReplaceAll(strings.Replace(string(own), edit[0], edit[1], 1), "$CANARY", canary)
			if text == string(own) {
				t.Fatalf("the workflow has no %q", edit[0])
			}
			evil := "touch \"" + canary + "/ran\"\n"
			var terminal bytes.Buffer
			o := options(t, tinyVariables, &terminal)
			o.CustomerDir = tree(t, map[string]string{"infra/variables.yml": tinyVariables, ".github/workflows/trigger-infra.yml": text, "evil.sh": evil,
				"evil/action.yml": "runs: {using: composite, steps: [{shell: bash, run: 'touch \"" + canary + "/ran\"'}]}\n"})
			o.Approve = ApproveNo
			if _, err := Run(t.Context(), o); err != nil {
				t.Fatalf("%v\n%s", err, terminal.String())
			}
			wantPart(t, strings.Join(strings.Fields(terminal.String()), " "), "is not as shipped, and no scripts of a customer run here")
			if _, err := os.Stat(canary + "/ran"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the customer's script has run (%v)", err)
			}
		})
	}
}

// TestRehearsalThroughAnInbox: the customer's token is for the inbox alone, whose workflow forwards each request. A
// request that it does not forward has no answer.
func TestRehearsalThroughAnInbox(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		files map[string]string
		edit  func(text string) string // of the shipped workflow, in place of files
		steps []string
		says  []string
	}{
		"an empty checkout": {says: []string{"No workflow of the inbox runs `metapipe forward`: the rehearsal plays the shipped ones.", "GitHub shows no copy of the manager's schema in the inbox", "inbox     ✓ forward", "Applied to dev, live"},
			steps: []string{"Pull request: ok", "Merge: ok", "Second push: ok", "A mistake: ok"}},
		"a step that fails": {edit: func(text string) string {
			return strings.Replace(text, "    steps:\n", "    steps:\n      - run: echo the inbox is closed >&2; exit 3\n", 1)
		}, says: []string{"the inbox is closed"}, steps: []string{"Pull request: not ok", "Merge: left out", "A mistake: ok"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var terminal bytes.Buffer
			o := options(t, tinyVariables, &terminal)
			files := map[string]string{"README.md": "An inbox.\n"}
			if c.edit != nil {
				raw, err := fs.ReadFile(workflows.Files, "inbox/forward.yml")
				must(t, err)
				files[".github/workflows/forward.yml"] = c.edit(string(raw))
			}
			o.InboxDir = tree(t, files)
			r, err := Run(t.Context(), o)
			if failed := c.edit != nil; (err != nil) != failed {
				t.Fatalf("%v\n%s", err, terminal.String())
			}
			wantSteps(t, r, c.steps...)
			for _, text := range c.says {
				wantPart(t, terminal.String(), text)
			}
			if t.Failed() {
				t.Log(terminal.String())
			}
			var sent struct{ Steps []stepCalls }
			must(t, json.Unmarshal([]byte(read(t, r.Out, "requests.json")), &sent))
			for _, step := range sent.Steps {
				for _, call := range step.Calls {
					if strings.HasPrefix(step.Step, "customer") && strings.HasPrefix(call.Path, "/repos/service-provider/infra-manager") {
						t.Errorf("%s calls the manager: %+v", step.Step, call)
					}
				}
			}
		})
	}
}
