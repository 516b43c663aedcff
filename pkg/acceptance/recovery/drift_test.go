package recovery

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// TestRecoverManyDrifts plays the page about drift in many targets: someone has changed
// the same file in four environments.
func TestRecoverManyDrifts(t *testing.T) {
	t.Parallel()
	config, dir := fixture.ProviderConfig(t, "local"), t.TempDir()
	environments := []string{"staging", "qa", "load", "demo"}
	manager := "environments: [{name: staging}, {name: qa}, {name: load}, {name: demo}]\nlimits: {lock_timeout: 0s}\ndrift: {remediate: [staging]"
	variables := "name: shop\nenvironments: {staging: {}, qa: {}, load: {}, demo: {}}\n"
	files := fixture.DriftFiles(dir)
	files["metapipe.yml"] = manager + "}\n"
	files["terraform/main.tf"] = strings.ReplaceAll(files["terraform/main.tf"], "timestamp()", `"quiet"`)
	w := fixture.New(t, files)
	w.Setenv("TF_CLI_CONFIG_FILE=" + config)
	fixture.Check(t, w.Manager.AddWorkflow(hub.Workflow{Path: fixture.ManagerWorkflow, Name: "Deploy", Dispatches: []string{pipeline.DispatchEvent}, Manual: true,
		Inputs: []hub.Input{{Name: "customer"}, {Name: "environment"}, {Name: "mode"}}}))
	apply := func() {
		t.Helper()
		r := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": variables}))
		for _, env := range environments {
			r.Planned(env)
			r.Do(0, "apply", env)
		}
		r.Report("--final")
	}
	apply()
	write := func(text string, environments ...string) {
		for _, env := range environments {
			fixture.Check(t, os.WriteFile(filepath.Join(dir, env+".txt"), []byte(text), 0o600))
		}
	}
	write("meddled", environments...)
	page := fixture.RecoveryPage(t, "Many targets drift at once", "NAME", "shop", "ENVIRONMENT", "staging")
	token := w.Token(hub.Token{Name: "starter", Kind: hub.Actions, Repositories: []string{fixture.ManagerSlug}, Permissions: fixture.Permissions("contents", "actions")})
	page.Run = func(exit int, args ...string) fixture.Result {
		t.Helper()
		return w.DriftJob().With("GITHUB_TOKEN="+token).Do(exit, args...)
	}
	w.Hub.ResetCalls()
	page.Next(0).Says(t, "shop/demo: drift", "alike in 4 targets: local_file.file (", "shop/demo, shop/load, shop/qa, shop/staging")
	if writes := w.Writes(); len(writes) > 0 {
		t.Errorf("written: %v", writes)
	}
	w.Commit(w.Manager, "main", map[string]string{"metapipe.yml": manager + ", ignore: [{address: local_file.file, reason: known, owner: jo, until: \"2999-12-31\"}]}\n"})
	if ignored := page.Next(0); strings.Contains(ignored.Log, "alike") || strings.Contains(ignored.Log, ": drift") {
		t.Errorf("what is ignored is still there:\n%s", ignored.Log)
	}
	w.Commit(w.Manager, "main", map[string]string{"metapipe.yml": manager + "}\n"})
	page.Next(6).Says(t, "shop/staging: started a request")
	started := w.Queued()
	fetched := w.NewJob(started).Do(0, "fetch-vars", "--customer", "shop", "--environment", "staging", "--mode", "apply")
	r := &fixture.Request{W: w, Run: started, Customer: fetched.Outputs["customer"], ID: fetched.Outputs["request-id"]}
	r.Planned("staging")
	r.Do(0, "apply", "staging").Want(t, "outcome=applied")
	r.Report("--final")
	write("shop", "qa", "load", "demo")
	for _, env := range environments {
		fixture.Check(t, os.Chmod(filepath.Join(dir, env+".txt"), 0o777))
	}
	page.Next(0).Says(t, "shop/staging: clean", "shop/qa: clean")
	page.Done()
}
