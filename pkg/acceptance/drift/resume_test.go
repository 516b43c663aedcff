package drift

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
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
	w := fixture.New(t, files)
	variables := map[string]string{}
	for i := range 6 {
		variables[fmt.Sprintf("infra/c%d/variables.yml", i)] = fmt.Sprintf("name: c%d\nenvironments:\n  staging: {}\n", i)
	}
	variables["infra/c5/variables.yml"] = "name: [\n"
	w.Commit(w.Customer, "main", variables)

	whole := fixture.ScanOf(t, w.DriftJob().Do(6, "drift", "--json"))
	if len(whole.Results) != 12 {
		t.Fatalf("%d results", len(whole.Results))
	}
	// Between nothing and all of them.
	const kills = 2
	first := w.DriftJob().Do(0, "drift", "list", "--shards", "3")
	id := first.Outputs["scan"]
	for range kills {
		r := w.DriftJob().Start("drift", "--scan", id, "--workers", "1", "--json")
		awaitResults(w, id, 1+rand.IntN(4))
		fixture.Check(t, r.Kill())
		t.Logf("killed with %d results:\n%s", w.Results(id), r.Wait().Log)
	}
	before := w.Results(id)
	resumed := fixture.ScanOf(t, w.DriftJob().Do(6, "drift", "--resume", "--json"))
	if before == 0 || before == 12 {
		t.Errorf("the kill came when there were %d results", before)
	}
	if diff := cmp.Diff(plainScan(t, whole), plainScan(t, resumed)); diff != "" {
		t.Errorf("uninterrupted (-), resumed (+):\n%s", diff)
	}

	list := w.DriftJob().Do(0, "drift", "list", "--shards", "3")
	var shards []int
	fixture.Check(t, json.Unmarshal([]byte(list.Outputs["shards"]), &shards))
	if len(shards) != 3 {
		t.Fatalf("shards %v", shards)
	}
	id = list.Outputs["scan"]
	w.DriftJob().Do(0, "drift", "scan", id, "--shard", "1")
	w.DriftJob().Do(0, "drift", "scan", id, "--shard", "3")
	partial := fixture.ScanOf(t, w.DriftJob().Do(6, "drift", "summary", id, "--json", "--fail-on", "error"))
	if len(partial.Missing) == 0 || len(partial.Results)+len(partial.Missing) != 12 || partial.Before == nil || partial.Before.Targets != 12 {
		t.Errorf("without shard 2: %d results, missing %v, before %+v", len(partial.Results), partial.Missing, partial.Before)
	}
	w.DriftJob().Do(2, "drift", "scan", id, "--shard", "4").Says(t, "shards 1 to 3")
	rest := fixture.ScanOf(t, w.DriftJob().Do(6, "drift", "--resume", "--json"))
	if len(rest.Results) != 12 || len(rest.Missing) != 0 {
		t.Errorf("after shard 2: %d results, missing %v", len(rest.Results), rest.Missing)
	}
	w.DriftJob().Do(2, "drift", "--resume").Says(t, "no interrupted scan")
}

// awaitResults waits until a scan has kept that many more results.
func awaitResults(w *fixture.Setup, id string, more int) {
	w.T.Helper()
	want := min(w.Results(id)+more, 6)
	for end := time.Now().Add(2 * time.Minute); w.Results(id) < want; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			w.T.Fatalf("scan %s has %d results after two minutes, want %d", id, w.Results(id), want)
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
	fixture.Check(t, json.Unmarshal(fixture.Must(json.Marshal(scan))(t), &plain))
	return plain
}

// TestRemediationIsARequestLikeAnyOther lets a scan ask for an apply: it starts the
// workflow and touches no state.
func TestRemediationIsARequestLikeAnyOther(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, map[string]string{"metapipe.yml": fixture.ManagerFiles["metapipe.yml"] + "drift: {remediate: [staging]}\n"})
	fixture.Check(t, w.Manager.AddWorkflow(hub.Workflow{Path: fixture.ManagerWorkflow, Name: "Deploy", Dispatches: []string{pipeline.DispatchEvent}, Manual: true,
		Inputs: []hub.Input{{Name: "customer"}, {Name: "environment"}, {Name: "mode"}}}))
	w.Commit(w.Customer, "main", map[string]string{"infra/variables.yml": "name: shop\nenvironments:\n  staging: {}\n  production: {}\n"})
	j := w.DriftJob()
	token := w.Token(hub.Token{Name: "starter", Kind: hub.Actions, Repositories: []string{fixture.ManagerSlug}, Permissions: fixture.Permissions("contents", "actions")})
	r := j.With("GITHUB_TOKEN="+token).Do(6, "drift", "--remediate")
	r.Says(t, "shop/staging: started a request to apply")
	if strings.Contains(r.Log, "shop/production: started") {
		t.Errorf("production is not to be remediated:\n%s", r.Log)
	}
	if state := w.State("shop/staging"); state != "" {
		t.Errorf("the scan wrote a state: %s", state)
	}
	run := w.Queued()
	if run.Run.Event != "workflow_dispatch" || !strings.Contains(string(run.Event), `"apply"`) {
		t.Errorf("started %+v: %s", run.Run, run.Event)
	}
}
