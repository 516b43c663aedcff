package rehearsal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// A manager in the convention of the setup guide, without any metapipe.yml.
const tinyManager = `variable "source_repo" { type = string }
variable "environment" { type = string }
locals {
  config     = yamldecode(file("${path.module}/source-variables.yml"))
  env_config = local.config.environments[var.environment]
}
resource "terraform_data" "size" {
  input = local.env_config.size
  lifecycle {
    precondition {
      condition     = local.env_config.size < 100
      error_message = "size is too large"
    }
  }
}
output "size" { value = terraform_data.size.output }
output "token" {
  value     = "hush-hush-${var.environment}"
  sensitive = true
}
`

const tinyVariables = "project_name: tiny\nenvironments:\n  dev:\n    size: 1\n  live:\n    size: 2\n"

var (
	build    sync.Once
	binary   string
	buildErr error
)

// needBinary builds the real metapipe once. Without the tools that it runs there
// is nothing to rehearse.
func needBinary(t *testing.T) string {
	t.Helper()
	for _, tool := range []string{"terraform", "go"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	build.Do(func() {
		var dir string
		if dir, buildErr = os.MkdirTemp("", "metapipe-binary-"); buildErr != nil {
			return
		}
		binary = filepath.Join(dir, "metapipe")
		out, err := exec.Command("go", "build", "-o", binary, "github.com/metapipe/metapipe/cmd/metapipe").CombinedOutput()
		if err != nil {
			buildErr = errors.New(string(out))
		}
	})
	if buildErr != nil {
		t.Fatalf("build metapipe: %v", buildErr)
	}
	return binary
}

// options are those of a rehearsal of the tiny manager with a customer's file.
func options(t *testing.T, variables string, terminal io.Writer) Options {
	t.Helper()
	return Options{
		Binary: needBinary(t), ManagerDir: tree(t, map[string]string{"terraform/main.tf": tinyManager}), CustomerDir: tree(t, map[string]string{"infra/variables.yml": variables}),
		Approve: ApproveYes, Out: filepath.Join(t.TempDir(), "out"), Terminal: terminal, Environ: environWithoutRC(),
	}
}

// environWithoutRC: a settings file that does not exist would fail the tool.
func environWithoutRC() []string {
	var out []string
	for _, pair := range os.Environ() {
		name, value, _ := strings.Cut(pair, "=")
		if _, err := os.Stat(value); name == "TF_CLI_CONFIG_FILE" && err != nil {
			continue
		}
		out = append(out, pair)
	}
	return out
}

func wantSteps(t *testing.T, r Result, want ...string) {
	t.Helper()
	var got []string
	for _, s := range r.Steps {
		state := "ok"
		switch {
		case s.LeftOut:
			state = "left out"
		case !s.OK:
			state = "not ok"
		}
		got = append(got, s.Name+": "+state)
	}
	if strings.Join(got, "; ") != strings.Join(want, "; ") {
		t.Errorf("steps:\n got %v\nwant %v", got, want)
	}
}

// everyFile reads all of the results as one text.
func everyFile(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	must(t, filepath.WalkDir(dir, func(at string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		all.WriteString(read(t, at))
		return nil
	}))
	return all.String()
}

func TestRehearsal(t *testing.T) {
	t.Parallel()
	var terminal bytes.Buffer
	o := options(t, tinyVariables, &terminal)
	o.Proposal = filepath.Join(tree(t, map[string]string{"p.yml": strings.ReplaceAll(tinyVariables, "size: 2", "size: 3")}), "p.yml")
	o.Environ = append(o.Environ, "GITHUB_TOKEN=from-outside", "METAPIPE_KEY=from-outside")
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatalf("%v\n%s", err, terminal.String())
	}
	wantSteps(t, r, "Where you are today: ok", "Pull request: ok", "Merge: ok", "Second push: ok", "A mistake: ok")
	if !r.OK() || len(r.Pending) > 0 || !r.Report.OK {
		t.Errorf("not as it should be: %+v", r.Pending)
	}
	for _, name := range []string{
		"README.md", "story.html", "requests.json", "customer/deployments.json", "customer/runs.json", "manager/runs.json",
		"customer/pull-requests/1/comment.md", "customer/pull-requests/1/comment-1.md", "manager/summaries/run-2-live-report.md", "manager/logs/run-2-live-plan-01-plan.log",
	} {
		if _, err := os.Stat(filepath.Join(r.Out, filepath.FromSlash(name))); err != nil {
			t.Error(err)
		}
	}
	wantPart(t, read(t, r.Out, "customer", "deployments.json"), `"size"`)
	wantPart(t, terminal.String(), "live.size")
	if all := everyFile(t, r.Out) + terminal.String(); strings.Contains(all, "hush-hush") || strings.Contains(all, "github_pat_") || strings.Contains(all, "ghs_") {
		t.Error("a secret got out")
	}
	checkRequests(t, filepath.Join(r.Out, "requests.json"))
}

// Where only what was reviewed is applied, today is deployed by a pull request.
func TestRehearsalOfReviewedManager(t *testing.T) {
	t.Parallel()
	var terminal bytes.Buffer
	o := options(t, tinyVariables, &terminal)
	must(t, os.WriteFile(filepath.Join(o.ManagerDir, "metapipe.yml"), []byte("environments:\n  - name: dev\n  - name: live\n    require_reviewed: true\n"), 0o600))
	o.Proposal = filepath.Join(tree(t, map[string]string{"p.yml": strings.ReplaceAll(tinyVariables, "size: 2", "size: 3")}), "p.yml")
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatalf("%v\n%s", err, terminal.String())
	}
	wantSteps(t, r, "Where you are today: ok", "Pull request: ok", "Merge: ok", "Second push: ok", "A mistake: ok")
	wantPart(t, r.Steps[0].Got, "Applied to dev, live")
	wantPart(t, terminal.String(), "merges pull request #1")
}

// What the default branch may not apply is planned again by every push.
func TestRehearsalOfHeldEnvironment(t *testing.T) {
	t.Parallel()
	var terminal bytes.Buffer
	o := options(t, tinyVariables, &terminal)
	must(t, os.WriteFile(filepath.Join(o.ManagerDir, "metapipe.yml"), []byte("environments:\n  - name: dev\n  - name: live\n    branches: [\"release/*\"]\n"), 0o600))
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatalf("%v\n%s", err, terminal.String())
	}
	wantSteps(t, r, "Pull request: ok", "Merge: ok", "Second push: ok", "A mistake: ok")
	wantPart(t, terminal.String(), "(live)")
}

// A proposal that removes an environment is one, also without a metapipe.yml.
func TestRehearsalThatRemovesAnEnvironment(t *testing.T) {
	t.Parallel()
	var terminal bytes.Buffer
	o := options(t, tinyVariables, &terminal)
	o.Proposal = filepath.Join(tree(t, map[string]string{"p.yml": "environments:\n  dev:\n    size: 2\n"}), "p.yml")
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatalf("%v\n%s", err, terminal.String())
	}
	wantSteps(t, r, "Where you are today: ok", "Pull request: ok", "Merge: ok", "Second push: ok", "A mistake: ok")
}

// checkRequests: the sum is that of the steps, and a request costs little.
func checkRequests(t *testing.T, file string) {
	t.Helper()
	var got struct {
		Reads, Writes int
		Steps         []stepCalls
	}
	must(t, json.Unmarshal([]byte(read(t, file)), &got))
	reads, writes := 0, 0
	for _, s := range got.Steps {
		reads, writes = reads+s.Reads, writes+s.Writes
	}
	if got.Reads != reads || got.Writes != writes || writes == 0 {
		t.Errorf("%d reads and %d writes, the steps have %d and %d", got.Reads, got.Writes, reads, writes)
	}
}

// No at the gate is an end, too: final, told, and as expected.
func TestRehearsalWithoutApproval(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Options){
		"no":           func(o *Options) { o.Approve = ApproveNo },
		"end of input": func(o *Options) { o.Approve, o.In = ApprovePrompt, strings.NewReader("") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var terminal bytes.Buffer
			o := options(t, tinyVariables, &terminal)
			change(&o)
			r, err := Run(t.Context(), o)
			if err != nil {
				t.Fatalf("%v\n%s", err, terminal.String())
			}
			wantSteps(t, r, "Pull request: ok", "Merge: ok", "Second push: left out", "A mistake: ok")
			if len(r.Pending) > 0 {
				t.Errorf("pending: %v", r.Pending)
			}
			wantPart(t, read(t, r.Out, "customer", "pull-requests", "1", "comment.md"), "a reviewer said no")
		})
	}
}

func TestAsk(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]bool{"y\n": true, "YES\n": true, " y \n": true, "y": true, "n\n": false, "\n": false, "": false, "yeah\n": false} {
		s := &rehearsal{input: newInput(strings.NewReader(answer)), narrator: &narrator{show: &terminal{w: io.Discard}}}
		yes, why, err := s.ask(t.Context(), "?")
		if err != nil || yes != want || why == "" {
			t.Errorf("%q: got %v, %q, %v", answer, yes, why, err)
		}
	}
}

// What fails in the user's own Terraform is told, ends final, and is an error.
func TestRehearsalOfWhatCannotBePlanned(t *testing.T) {
	t.Parallel()
	var terminal bytes.Buffer
	r, err := Run(t.Context(), options(t, strings.ReplaceAll(tinyVariables, "size: 2", "size: 200"), &terminal))
	var failed *pipeline.FailedError
	if !errors.As(err, &failed) {
		t.Fatalf("got %v", err)
	}
	wantSteps(t, r, "Pull request: not ok", "Merge: left out", "A mistake: ok")
	if len(r.Pending) > 0 {
		t.Errorf("pending: %v", r.Pending)
	}
	wantPart(t, read(t, r.Out, "customer", "pull-requests", "1", "comment.md"), "size is too large")
}

// stopAt cancels when a text comes by.
type stopAt struct {
	seen strings.Builder
	text string
	stop func()
}

func (s *stopAt) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte(s.text)) {
		s.stop()
	}
	return s.seen.Write(b)
}

// Whoever stops the rehearsal finds every status final, and the folder.
func TestStoppedRehearsal(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"▸ dev / plan", "▸ dev / apply / apply", "Apply this plan"} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			terminal := &stopAt{text: at, stop: cancel}
			o := options(t, tinyVariables, terminal)
			answers, w := io.Pipe() // no one answers
			t.Cleanup(func() { _ = w.Close() })
			o.Approve, o.In = ApprovePrompt, answers
			r, err := Run(ctx, o)
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("got %v\n%s", err, terminal.seen.String())
			}
			if len(r.Pending) > 0 {
				t.Errorf("pending: %v\n%s", r.Pending, terminal.seen.String())
			}
			if _, err := os.Stat(filepath.Join(r.Out, "story.html")); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestRunRefusesBadOptions(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, o := range map[string]Options{
		"nothing":     {},
		"approve":     {Binary: "x", ManagerDir: dir, CustomerDir: dir, Approve: "maybe"},
		"nobody":      {Binary: "x", ManagerDir: dir, CustomerDir: dir},
		"no manager":  {Binary: "x", ManagerDir: filepath.Join(dir, "no"), CustomerDir: dir, Approve: ApproveYes},
		"no customer": {Binary: "x", ManagerDir: dir, CustomerDir: filepath.Join(dir, "no"), Approve: ApproveYes},
		"no file":     {Binary: "x", ManagerDir: dir, CustomerDir: dir, Approve: ApproveYes},
	} {
		_, err := Run(t.Context(), o)
		var usage *pipeline.UsageError
		if !errors.As(err, &usage) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
