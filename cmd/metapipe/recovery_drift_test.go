package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// TestRecoverManyDrifts plays the page about drift in many targets: somebody has changed
// the same file in four environments.
func TestRecoverManyDrifts(t *testing.T) {
	t.Parallel()
	config, dir := providerConfig(t, "local"), t.TempDir()
	environments := []string{"staging", "qa", "load", "demo"}
	manager := "environments: [{name: staging}, {name: qa}, {name: load}, {name: demo}]\nlimits: {lock_timeout: 0s}\ndrift: {remediate: [staging]"
	variables := "name: shop\nenvironments: {staging: {}, qa: {}, load: {}, demo: {}}\n"
	files := driftFiles(dir)
	files["metapipe.yml"] = manager + "}\n"
	files["terraform/main.tf"] = strings.ReplaceAll(files["terraform/main.tf"], "timestamp()", `"quiet"`)
	w := newWorld(t, files)
	w.environ = []string{"TF_CLI_CONFIG_FILE=" + config}
	check(t, w.manager.AddWorkflow(hub.Workflow{Path: managerWorkflow, Name: "Deploy", Dispatches: []string{pipeline.DispatchEvent}, Manual: true,
		Inputs: []hub.Input{{Name: "customer"}, {Name: "environment"}, {Name: "mode"}}}))
	apply := func() {
		t.Helper()
		r := w.accept(w.push("main", map[string]string{"infra/variables.yml": variables}))
		for _, env := range environments {
			r.planned(env)
			r.do(0, "apply", env)
		}
		r.report("--final")
	}
	apply()
	write := func(text string, environments ...string) {
		for _, env := range environments {
			check(t, os.WriteFile(filepath.Join(dir, env+".txt"), []byte(text), 0o600))
		}
	}
	write("meddled", environments...)
	page := recoveryPage(t, "Many targets drift at once", "NAME", "shop", "ENVIRONMENT", "staging")
	token := w.token(hub.Token{Name: "starter", Kind: hub.Actions, Repositories: []string{managerSlug}, Permissions: permissions("contents", "actions")})
	page.run = func(exit int, args ...string) result {
		t.Helper()
		return w.driftJob().with("GITHUB_TOKEN="+token).do(exit, args...)
	}
	w.hub.ResetCalls()
	page.next(0).says(t, "shop/demo: drift", "alike in 4 targets: local_file.file (", "shop/demo, shop/load, shop/qa, shop/staging")
	if writes := w.writes(); len(writes) > 0 {
		t.Errorf("written: %v", writes)
	}
	w.commit(w.manager, "main", map[string]string{"metapipe.yml": manager + ", ignore: [{address: local_file.file, reason: known, until: \"2999-12-31\"}]}\n"})
	if ignored := page.next(0); strings.Contains(ignored.log, "alike") || strings.Contains(ignored.log, ": drift") {
		t.Errorf("what is ignored is still there:\n%s", ignored.log)
	}
	w.commit(w.manager, "main", map[string]string{"metapipe.yml": manager + "}\n"})
	page.next(6).says(t, "shop/staging: started a request")
	started := w.queued()
	fetched := w.newJob(started).do(0, "fetch-vars", "--customer", "shop", "--environment", "staging", "--mode", "apply")
	r := &request{w: w, run: started, customer: fetched.outputs["customer"], id: fetched.outputs["request-id"]}
	r.planned("staging")
	r.do(0, "apply", "staging").want(t, "outcome=applied")
	r.report("--final")
	write("shop", "qa", "load", "demo")
	for _, env := range environments {
		check(t, os.Chmod(filepath.Join(dir, env+".txt"), 0o777))
	}
	page.next(0).says(t, "shop/staging: clean", "shop/qa: clean")
	page.done()
}
