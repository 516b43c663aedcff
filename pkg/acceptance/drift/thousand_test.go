package drift

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/github"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/drift"
	"github.com/metapipe/metapipe/pkg/pipeline/issues"
	"github.com/metapipe/metapipe/pkg/pipeline/scans"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub/hubtest"
	"github.com/metapipe/metapipe/pkg/render"
	"github.com/metapipe/metapipe/pkg/store"
	"github.com/metapipe/metapipe/pkg/variables"
)

const fleetSize = 1000

// The customers with which something is wrong; by their names they come first.
const (
	hangs   = "a-hangs"   // its provider does not answer
	broken  = "a-broken"  // its file is no YAML
	missing = "a-missing" // its repository is gone
	revoked = "a-revoked" // the token has lost its permission
)

// fleetTool stands for the tool: what was applied to each target, and what is there.
type fleetTool struct {
	mu             sync.Mutex
	applied, there map[string]string
}

// Plan compares what is wanted with what was applied, and that with what is there.
// As the real engine does, it stops at the limit of its customer.
func (f *fleetTool) Plan(ctx context.Context, job pipeline.Job) (pipeline.Planned, error) {
	name := string(job.Customer.Name) + "/" + string(job.Environment)
	if job.Customer.Name == hangs {
		limit := job.Customer.Manager.Limits.PlanTimeout
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		<-ctx.Done()
		return pipeline.Planned{}, &pipeline.FailedError{Message: "plan " + name, Next: "raise limits.plan_timeout", Err: fmt.Errorf("the plan took more than %s: %w", limit, ctx.Err())}
	}
	config, err := job.Variables.Effective(job.Environment)
	if err != nil {
		return pipeline.Planned{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	plan := pipeline.Plan{Tool: pipeline.ToolVersion{Name: "terraform", Version: "1.11.4"}, Complete: true}
	change := func(before, after string) pipeline.ResourceChange {
		return pipeline.ResourceChange{Address: "thing.of_" + name, Type: "thing", Action: pipeline.ActionUpdate,
			Attributes: []pipeline.AttributeChange{{Path: "content", Before: pipeline.Value{Text: fmt.Sprintf("%q", before)}, After: pipeline.Value{Text: fmt.Sprintf("%q", after)}}}}
	}
	want, applied, there := string(config.Whole), f.applied[name], f.there[name]
	if applied == "" { // the first look is the first apply
		f.applied[name], applied = want, want
	}
	if there != "" && there != applied {
		driftRun, back := change(applied, there), change(there, applied)
		driftRun.Relevant, back.Reverts = true, want == applied
		plan.Drift, plan.Changes = []pipeline.ResourceChange{driftRun}, []pipeline.ResourceChange{back}
	}
	evidence := pipeline.NewPlanEvidence(plan.Tool)
	evidence.SetManager("tree", "")
	return pipeline.Planned{Plan: plan, Evidence: evidence}, nil
}

// meddle changes what is there behind the tool's back; "" mends it.
func (f *fleetTool) meddle(name, content string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.there[name] = content
}

// thousand is a fleet on the double of GitHub, with a clock of its own.
type thousand struct {
	t         *testing.T
	hub       *hubtest.Server
	tool      *fleetTool
	store     pipeline.Store
	sealer    pipeline.Sealer
	customers []pipeline.Customer

	mu sync.Mutex
	at time.Time
}

func (f *thousand) now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.at
}

func (f *thousand) sleep(ctx context.Context, d time.Duration) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at = f.at.Add(d)
	return ctx.Err()
}

func newThousand(t *testing.T) *thousand {
	t.Helper()
	f := &thousand{t: t, at: time.Date(2030, 3, 1, 4, 23, 0, 0, time.UTC), tool: &fleetTool{applied: map[string]string{}, there: map[string]string{}}}
	f.hub = hubtest.Start(t, hub.Options{Now: f.now})
	fixture.Must(f.hub.AddUser(hub.User{Login: "acme", Type: hub.Organization}))(t)
	fixture.Must(f.hub.AddUser(hub.User{Login: "metapipe-bot"}))(t)
	f.store = fixture.Must(store.NewDirectory(filepath.Join(t.TempDir(), "store")))(t)
	f.sealer = fixture.Must(store.NewSealer(store.NewKey()))(t)
	manager := pipeline.Manager{Environments: []pipeline.EnvironmentRule{{Name: "staging", Branches: []string{"main"}}},
		Limits: pipeline.Limits{PlanTimeout: 300 * time.Millisecond, VariablesBytes: 1 << 16}}
	names := []string{hangs, broken, missing, revoked}
	for i := len(names); i < fleetSize; i++ {
		names = append(names, fmt.Sprintf("c-%04d", i))
	}
	for i, name := range names {
		id := int64(10_000 + i)
		f.customers = append(f.customers, pipeline.Customer{Name: pipeline.CustomerName(name), File: "customers/" + name + ".yml", Repository: pipeline.Slug{Owner: "acme", Name: name},
			RepositoryID: id, Path: "infra", Root: "terraform", Manager: manager})
		if name == missing {
			continue
		}
		repo := fixture.Must(f.hub.AddRepo("acme", name, hub.RepoOptions{ID: id, Private: true}))(t)
		fixture.Check(t, repo.Grant("metapipe-bot", hub.Write))
		text := "name: " + name + "\nenvironments:\n  staging: {}\n"
		if name == broken {
			text = "name: [\n"
		}
		fixture.Must(repo.Commit("main", hub.Change{Message: "Begin", Files: map[string]hub.File{"infra/variables.yml": {Content: []byte(text)}}}))(t)
	}
	f.hub.Fail(hubtest.Matcher{Request: func(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/repos/acme/"+revoked) }},
		hubtest.Fault{Status: http.StatusForbidden, Message: "Resource not accessible by personal access token"}, 1000)
	fixture.Must(f.hub.AddToken(hub.Token{Name: "source", Secret: "source-token", Kind: hub.Classic, User: "metapipe-bot", Scopes: []string{"repo"}}))(t)
	return f
}

func (f *thousand) client() *github.Client {
	f.t.Helper()
	return fixture.Must(github.New(github.Options{BaseURL: f.hub.URL(), Token: "source-token", Credential: "SOURCE_REPOS_PAT", WriteGap: time.Second, Now: f.now, Sleep: f.sleep}))(f.t)
}

// scan looks at the fleet, or at the part of it that no scan knows about, and sums up.
func (f *thousand) scan(stale time.Duration) drift.Scan {
	t := f.t
	t.Helper()
	plan := fixture.Must(drift.Scans(f.store, f.sealer, f.now).List(t.Context(), scans.ListInput{Manager: pipeline.Slug{Owner: "provider", Name: "infra"},
		Customers: f.customers, Filter: scans.Filter{Stale: stale}, Shards: 4}))(t)
	for _, shard := range plan.Shards {
		scanner := &drift.Scanner{Store: f.store, Sealer: f.sealer, Engine: f.tool, GitHub: f.client(), Now: f.now,
			Parse: func(c pipeline.Customer, file string, raw []byte) (pipeline.Document, pipeline.Problems) {
				d, problems := variables.Parse(file, raw, c.Manager.Limits, nil)
				if d == nil {
					return nil, problems
				}
				return d, problems
			}}
		fixture.Check(t, scanner.Run(t.Context(), drift.ScanInput{Scan: plan.Scan, Shard: shard, Workers: 8, Customers: f.customers, ManagerDir: t.TempDir(), Dir: t.TempDir(),
			Backend: func(pipeline.Target) pipeline.Backend { return pipeline.Backend{} }}))
	}
	scan := fixture.Must(drift.Summarize(t.Context(), drift.Scans(f.store, f.sealer, f.now), plan.Scan, f.customers))(t)
	if len(scan.Results) != plan.Targets || len(scan.Missing) != 0 {
		t.Fatalf("%d results, %d missing of %d targets", len(scan.Results), len(scan.Missing), plan.Targets)
	}
	return scan
}

// issues brings the customers' issues in line and counts what was done.
func (f *thousand) issues(scan *drift.Scan, budget int) map[issues.Action]int {
	f.t.Helper()
	var err error
	issuer := &drift.Issuer{Store: f.store, Sealer: f.sealer, GitHub: f.client(), Body: render.Renderer{}.Issue, Closing: render.Renderer{}.IssueClosing, Now: f.now}
	scan.Issues, err = issuer.Run(f.t.Context(), *scan, f.customers, budget)
	fixture.Check(f.t, err)
	did := map[issues.Action]int{}
	for _, i := range scan.Issues {
		did[i.Action]++
	}
	return did
}

// causes counts the failures of a scan.
func causes(scan drift.Scan) map[string]int {
	out := map[string]int{}
	for _, r := range scan.Results {
		if r.Failure != nil {
			out[r.Failure.Cause]++
		}
	}
	return out
}

func (f *thousand) wants(scan drift.Scan, want map[string]int) string {
	t := f.t
	t.Helper()
	if got := causes(scan); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("causes %v, want %v", got, want)
	}
	var raw bytes.Buffer
	fixture.Check(t, render.DriftJSON(&raw, scan))
	fixture.WantDriftSchema(t, raw.Bytes())
	summary := render.Renderer{}.Drift(scan)
	if len(summary) > render.DefaultSummaryBytes {
		t.Errorf("the summary has %d bytes", len(summary))
	}
	for _, r := range scan.Results {
		if row := fmt.Sprintf("| `%s/%s` |", r.Customer, r.Environment); !strings.Contains(summary, row) {
			t.Fatalf("the summary lacks %s", r.Customer)
		}
		if r.Failure != nil && !strings.Contains(summary, fmt.Sprintf("| `%s/%s` | `%s` |", r.Customer, r.Environment, r.Failure.Cause)) {
			t.Errorf("the summary does not say that %s failed for %s", r.Customer, r.Failure.Cause)
		}
	}
	return summary
}

// TestAThousandCustomers scans a fleet in which a provider hangs, a file is broken, a
// repository is gone, a permission is revoked and the hour's calls to GitHub run out.
func TestAThousandCustomers(t *testing.T) {
	t.Parallel()
	f := newThousand(t)
	const meddled = 40
	for i := range meddled {
		f.tool.meddle(fmt.Sprintf("c-%04d/staging", 10+i), "meddled")
	}
	const hour = 1500 // calls that are left of it
	fixture.Check(t, f.hub.SetRemaining("source", hour))
	first := f.scan(0)
	limited := causes(first)["rate-limit"]
	// Two calls for each customer that there is, before anything was applied, and one
	// more for the first 25 of each of three shards: whether GitHub knows of an apply.
	const looked = fleetSize - (hour-3*25)/2
	if limited < looked-20 || limited > looked+20 {
		t.Errorf("%d of %d were refused for the rate limit, with %d calls left", limited, fleetSize, hour)
	}
	f.wants(first, map[string]int{"timeout": 1, "variables": 1, "repository": 1, "permission": 1, "rate-limit": limited})

	// The hour passes: the next scan has only those that no one knows about.
	fixture.Check(t, f.sleep(t.Context(), time.Hour+time.Minute))
	second := f.scan(2 * time.Hour)
	if len(second.Results) != limited+4 {
		t.Errorf("the second scan has %d targets, want %d", len(second.Results), limited+4)
	}
	f.wants(second, map[string]int{"timeout": 1, "variables": 1, "repository": 1, "permission": 1})

	// Issues, with a budget of writes and a limit of GitHub in between. Whose issue
	// is opened costs three calls, and who we are one.
	fixture.Check(t, f.sleep(t.Context(), time.Hour+time.Minute))
	third := f.scan(0)
	if n := len(third.Results) - 4; n != fleetSize-4 || causes(third)["rate-limit"] != 0 {
		t.Fatalf("causes %v", causes(third))
	}
	fixture.Check(t, f.hub.SetRemaining("source", 1+10*3+1))
	if did := f.issues(&third, 25); did[issues.Opened] != 10 || did[issues.Waiting] != meddled-10 || did[issues.Failed] != 0 {
		t.Errorf("in a limited hour: %v", did)
	}
	if summary := f.wants(third, causes(third)); !strings.Contains(summary, "rate limit is reached") {
		t.Error("the summary does not say why issues wait")
	}
	fixture.Check(t, f.sleep(t.Context(), time.Hour+time.Minute))
	f.hub.ResetCalls()
	if did := f.issues(&third, 25); did[issues.Opened] != 25 || did[issues.Unchanged] != 10 || did[issues.Waiting] != 5 {
		t.Errorf("with 25 writes: %v", did)
	}
	f.issues(&third, 25)
	f.hub.ResetCalls()
	if did := f.issues(&third, 25); did[issues.Unchanged] != meddled || len(f.hub.Calls()) != 0 {
		t.Errorf("when nothing has changed: %v, calls %v", did, f.hub.Calls())
	}
	open := 0
	for _, repo := range f.hub.Snapshot().Repositories {
		open += len(repo.Issues)
		if len(repo.Issues) > 1 {
			t.Errorf("%s has %d issues", repo.Repository, len(repo.Issues))
		}
	}
	if open != meddled {
		t.Errorf("%d issues, want %d", open, meddled)
	}
}

// TestAStoppedRunOfIssuesIsKept cancels a run in the middle: what it has done is known
// to the next one.
func TestAStoppedRunOfIssuesIsKept(t *testing.T) {
	t.Parallel()
	f := newThousand(t)
	f.customers = f.customers[4:8]
	for _, c := range f.customers {
		f.tool.meddle(string(c.Name)+"/staging", "meddled")
	}
	scan := f.scan(0)
	ctx, cancel := context.WithCancel(t.Context())
	opened := 0
	body := func(r drift.Result) string { return render.Renderer{}.Issue(r) }
	issuer := &drift.Issuer{Store: f.store, Sealer: f.sealer, GitHub: noticing{f.client(), func() {
		if opened++; opened == 2 {
			cancel()
		}
	}}, Body: body, Closing: body, Now: f.now}
	printed, err := issuer.Run(ctx, scan, f.customers, 100)
	if !errors.Is(err, context.Canceled) || len(printed) != 4 || printed[1].Action != issues.Opened || printed[2].Action != issues.Waiting {
		t.Fatalf("told %+v, %v", printed, err)
	}
	fixture.Check(t, f.sleep(t.Context(), time.Second))
	if did := f.issues(&scan, 100); did[issues.Unchanged] != 2 || did[issues.Opened] != 2 {
		t.Errorf("after it: %v", did)
	}
}

// noticing tells of each issue that was opened.
type noticing struct {
	*github.Client
	opened func()
}

func (s noticing) CreateIssue(ctx context.Context, slug pipeline.Slug, draft issues.Draft) (issues.Issue, error) {
	defer s.opened()
	return s.Client.CreateIssue(ctx, slug, draft)
}

// TestOldScansChangeNoIssue runs a summary again after a later scan.
func TestOldScansChangeNoIssue(t *testing.T) {
	t.Parallel()
	f := newThousand(t)
	f.customers = f.customers[4:6]
	name := string(f.customers[0].Name) + "/staging"
	f.tool.meddle(name, "meddled")
	old := f.scan(0)
	fixture.Check(t, f.sleep(t.Context(), time.Hour))
	f.tool.meddle(name, "")
	fresh := f.scan(0)
	if did := f.issues(&fresh, 10); len(did) != 0 {
		t.Errorf("a clean fleet: %v", did)
	}
	again := fixture.Must(drift.Summarize(t.Context(), drift.Scans(f.store, f.sealer, f.now), old.ID, f.customers))(t)
	if again.Results[0].Clean() {
		t.Fatal("the old scan says that nothing differs")
	}
	if did := f.issues(&again, 10); len(did) != 0 {
		t.Errorf("an old scan wrote: %v", did)
	}
}

// TestKindsThatAreForNobodyCloseAnIssue changes what is done about a kind.
func TestKindsThatAreForNobodyCloseAnIssue(t *testing.T) {
	t.Parallel()
	f := newThousand(t)
	f.customers = f.customers[4:5]
	f.tool.meddle(string(f.customers[0].Name)+"/staging", "meddled")
	scan := f.scan(0)
	f.issues(&scan, 10)
	f.customers[0].Manager.Drift.Actions = map[pipeline.DriftKind]pipeline.DriftAction{pipeline.DriftReal: pipeline.DriftReport}
	fixture.Check(t, f.sleep(t.Context(), time.Hour))
	scan = f.scan(0)
	if did := f.issues(&scan, 10); did[issues.Closed] != 1 {
		t.Fatalf("did %v", did)
	}
	repo := fixture.Must(f.hub.Repo(f.customers[0].Repository.String()))(t)
	if issue := repo.Snapshot().Issues[0]; issue.State != "closed" || strings.Contains(issue.Comments[0].Body, "as it should be") {
		t.Errorf("closed as %+v", issue)
	}
}
