package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/drift"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// TestDriftGoesOnAfterAKill kills a scan at a random point and compares what the
// resumed one tells with an uninterrupted one, and with one in shards.
func TestDriftGoesOnAfterAKill(t *testing.T) {
	t.Parallel()
	files := map[string]string{}
	for i := range 6 {
		files[fmt.Sprintf("customers/c%d.yml", i)] = fmt.Sprintf("repository: acme/shop\nrepository_id: 4711\npath: infra/c%d\n", i)
	}
	files["customers/shop.yml"] = ""
	w := newWorld(t, files)
	variables := map[string]string{}
	for i := range 6 {
		variables[fmt.Sprintf("infra/c%d/variables.yml", i)] = fmt.Sprintf("name: c%d\nenvironments:\n  staging: {}\n", i)
	}
	variables["infra/c5/variables.yml"] = "name: [\n"
	w.commit(w.customer, "main", variables)

	whole := scanOf(t, w.driftJob().do(6, "drift", "--json"))
	if len(whole.Results) != 12 {
		t.Fatalf("%d results", len(whole.Results))
	}
	// Between nothing and all of them.
	const kills = 2
	first := w.driftJob().do(0, "drift", "list", "--shards", "3")
	id := first.outputs["scan"]
	for range kills {
		r := w.driftJob().start("drift", "--scan", id, "--workers", "1", "--json")
		w.awaitResults(id, 1+rand.IntN(4))
		check(t, r.cmd.Process.Kill())
		t.Logf("killed with %d results (%v):\n%s", w.results(id), <-r.done, r.log)
	}
	before := w.results(id)
	resumed := scanOf(t, w.driftJob().do(6, "drift", "--resume", "--json"))
	if before == 0 || before == 12 {
		t.Errorf("the kill came when there were %d results", before)
	}
	if diff := cmp.Diff(plainScan(t, whole), plainScan(t, resumed)); diff != "" {
		t.Errorf("uninterrupted (-), resumed (+):\n%s", diff)
	}

	list := w.driftJob().do(0, "drift", "list", "--shards", "3")
	var shards []int
	check(t, json.Unmarshal([]byte(list.outputs["shards"]), &shards))
	if len(shards) != 3 {
		t.Fatalf("shards %v", shards)
	}
	id = list.outputs["scan"]
	w.driftJob().do(0, "drift", "scan", id, "--shard", "1")
	w.driftJob().do(0, "drift", "scan", id, "--shard", "3")
	partial := scanOf(t, w.driftJob().do(6, "drift", "summary", id, "--json", "--fail-on", "error"))
	if len(partial.Missing) == 0 || len(partial.Results)+len(partial.Missing) != 12 || partial.Before == nil || partial.Before.Targets != 12 {
		t.Errorf("without shard 2: %d results, missing %v, before %+v", len(partial.Results), partial.Missing, partial.Before)
	}
	w.driftJob().do(2, "drift", "scan", id, "--shard", "4").says(t, "shards 1 to 3")
	w.driftJob().do(2, "drift", "--resume").says(t, "no interrupted scan")
}

// results counts what a scan has kept so far.
func (w *world) results(id string) int {
	w.t.Helper()
	found := must(filepath.Glob(filepath.Join(w.store, "_metapipe", "scans", "results", id, "*", "*")))(w.t)
	n := 0
	for _, file := range found {
		if !strings.HasPrefix(filepath.Base(file), ".") {
			n++
		}
	}
	return n
}

// awaitResults waits until a scan has kept that many more results.
func (w *world) awaitResults(id string, more int) {
	w.t.Helper()
	want := min(w.results(id)+more, 6)
	for end := time.Now().Add(2 * time.Minute); w.results(id) < want; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("scan %s has %d results after two minutes, want %d", id, w.results(id), want)
		}
	}
}

// plainScan is a scan without what differs from run to run.
func plainScan(t testing.TB, scan drift.Scan) any {
	t.Helper()
	scan.ID, scan.StartedAt, scan.EndedAt, scan.Before = "", time.Time{}, time.Time{}, nil
	for i := range scan.Results {
		r := &scan.Results[i]
		r.FirstSeen, r.CheckedAt, r.Duration = time.Time{}, time.Time{}, 0
	}
	var plain any
	check(t, json.Unmarshal(must(json.Marshal(scan))(t), &plain))
	return plain
}

// TestRemediationIsARequestLikeAnyOther lets a scan ask for an apply: it starts the
// workflow and touches no state.
func TestRemediationIsARequestLikeAnyOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t, map[string]string{"metapipe.yml": managerFiles["metapipe.yml"] + "drift: {remediate: [staging]}\n"})
	check(t, w.manager.AddWorkflow(hub.Workflow{Path: managerWorkflow, Name: "Deploy", Dispatches: []string{pipeline.DispatchEvent}, Manual: true,
		Inputs: []hub.Input{{Name: "customer"}, {Name: "environment"}, {Name: "mode"}}}))
	w.commit(w.customer, "main", map[string]string{"infra/variables.yml": "name: shop\nenvironments:\n  staging: {}\n  production: {}\n"})
	j := w.driftJob()
	token := w.token(hub.Token{Name: "starter", Kind: hub.Actions, Repositories: []string{managerSlug}, Permissions: permissions("contents", "actions")})
	r := j.with("GITHUB_TOKEN="+token).do(6, "drift", "--remediate")
	r.says(t, "shop/staging: started a request to apply")
	if strings.Contains(r.log, "shop/production: started") {
		t.Errorf("production is not to be remediated:\n%s", r.log)
	}
	if state := w.state("shop/staging"); state != "" {
		t.Errorf("the scan wrote a state: %s", state)
	}
	run := w.queued()
	if run.run.Event != "workflow_dispatch" || !strings.Contains(string(run.event), `"apply"`) {
		t.Errorf("started %+v: %s", run.run, run.event)
	}
}
