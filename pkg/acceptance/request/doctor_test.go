package request

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/cli"
	"github.com/metapipe/metapipe/pkg/pipeline/doctor"
	"github.com/metapipe/metapipe/pkg/pipeline/intake"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// endToEnd starts doctor for the customer's side and returns what it says of the dry run.
func endToEnd(t *testing.T, w *fixture.Setup, wait string) (checks func() []doctor.Check) {
	t.Helper()
	token := func(name, repo string, permissions map[string]string) string {
		return w.Token(hub.Token{Name: "doctor " + name, Kind: hub.FineGrained, User: "casey", Repositories: []string{repo}, Permissions: permissions})
	}
	fixture.Check(t, w.Manager.Grant("casey", hub.Write))
	var out, log bytes.Buffer
	app := cli.App{In: strings.NewReader(""), Out: &out, Err: &log, Dir: t.TempDir(), Now: time.Now, Sleep: sleep, Environ: []string{
		"GITHUB_ACTIONS=false", "GITHUB_SERVER_URL=" + w.Hub.URL(), "GITHUB_API_URL=" + w.Hub.URL(), "MANAGER_REPO_OWNER=provider", "MANAGER_REPO_NAME=infra",
		"GITHUB_TOKEN=" + token("own", "acme/shop", fixture.Permissions("contents deployments pull_requests", "actions statuses")),
		"MANAGER_REPO_PAT=" + token("manager", fixture.ManagerSlug, fixture.Permissions("", "contents")),
	}}
	done := make(chan int)
	go func() {
		done <- cli.Main(t.Context(), []string{"doctor", "--role", "customer", "--repository", "acme/shop", "--end-to-end", "--wait", wait, "--json"}, app)
	}()
	return func() []doctor.Check {
		t.Helper()
		code := <-done
		var r doctor.Report
		if err := json.Unmarshal(out.Bytes(), &r); err != nil {
			t.Fatalf("exit code %d: %v\n%s%s", code, err, &out, &log)
		}
		return slices.DeleteFunc(r.Checks, func(c doctor.Check) bool { return c.ID != "end-to-end" })
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func stages(checks []doctor.Check) string {
	var list []string
	for _, c := range checks {
		_, stage, _ := strings.Cut(c.Subject, ": ")
		list = append(list, fmt.Sprintf("%s %s", c.State, stage))
	}
	return strings.Join(list, ", ")
}

// canary is a setup whose customer can be started by hand.
func canary(t *testing.T) (w *fixture.Setup, head string) {
	t.Helper()
	w = fixture.New(t, nil)
	head = w.Commit(w.Customer, "main", map[string]string{"infra/variables.yml": fixture.VariablesYML})
	fixture.Check(t, w.Customer.AddWorkflow(hub.Workflow{Path: intake.TriggerWorkflow, Name: "Trigger", Manual: true,
		Inputs: []hub.Input{{Name: "mode", Default: "dry-run"}}}))
	return w, head
}

// TestDoctorEndToEnd: doctor follows a dry run from the customer's workflow to the manager's report, and nothing is applied.
func TestDoctorEndToEnd(t *testing.T) {
	t.Parallel()
	w, head := canary(t)
	checks := endToEnd(t, w, "5m")
	run := w.Queued()
	if run.Repo != w.Customer || !strings.Contains(string(run.Event), `"dry-run"`) {
		t.Fatalf("the run of %s with %s", run.Repo.Slug(), run.Event)
	}
	run.PermitsIDToken = true
	r := w.Accept(run, "--mode", "dry-run")
	r.Do(0, "plan", "staging")
	r.Report("--final")
	got := checks()
	if want := "ok sent, ok the customer's run, ok picked up, ok ended"; stages(got) != want {
		t.Errorf("got %s, want %s\n%+v", stages(got), want, got)
	}
	w.WantStatus(head, "infra/terraform-deploy", "success")
	if n := len(w.Customer.Snapshot().Deployments); n != 0 {
		t.Errorf("%d deployments: something was applied", n)
	}
}

// TestDoctorEndToEndStops: where a stage does not come, doctor names it and ends.
func TestDoctorEndToEndStops(t *testing.T) {
	t.Parallel()
	w, _ := canary(t)
	got := endToEnd(t, w, "2s")()
	if want := "ok sent, ok the customer's run, fail picked up"; stages(got) != want {
		t.Errorf("got %s, want %s\n%+v", stages(got), want, got)
	}
}
