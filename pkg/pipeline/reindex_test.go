package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/pipeline/recovery"
	"github.com/metapipe/metapipe/pkg/pipeline/sweep"
)

// played are the requests of playRequests that go on.
type played struct {
	waiting, loser pipeline.Request
}

// playRequests brings a store to where it has a request of each kind: applied, shown in a
// pull request, declined by a reviewer, rejected, killed, superseded by a verdict about two
// pushes, and one that waits.
func playRequests(w *pipelinetest.Setup) played {
	t := w.T
	t.Helper()
	send := func(file, event string) pipeline.Request {
		t.Helper()
		w.Now = w.Now.Add(11 * time.Minute) // no two are so close that their order is asked for
		return pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit(file), event)))
	}
	applied := send(pipelinetest.BothEnvironments, "push")
	for _, target := range applied.Targets {
		pipelinetest.Must[deploy.TargetResult](t)(w.Plan(applied, target.Environment))
		pipelinetest.Must[deploy.TargetResult](t)(w.Apply(w.Target(applied, target.Environment)))
	}
	w.Report(applied, true)
	shown := send(pipelinetest.BothEnvironments, "pull_request")
	for _, target := range shown.Targets {
		pipelinetest.Must[deploy.TargetResult](t)(w.Plan(shown, target.Environment))
	}
	w.Report(shown, true)
	declined := send(pipelinetest.BothEnvironments, "push")
	pipelinetest.Must[deploy.TargetResult](t)(w.Plan(declined, "staging"))
	w.Report(declined, true)
	w.Now = w.Now.Add(11 * time.Minute)
	rejected, err := w.Send(w.Dispatch(w.Hub.Commit("nonsense\n"), "push"))
	if !rejected.Rejected() {
		t.Fatalf("%+v %v", rejected, err)
	}
	w.Report(rejected, true)
	w.Now = w.Now.Add(11 * time.Minute)
	killed, _ := w.KilledPlan()
	w.Report(killed, true)
	w.Now = w.Now.Add(11 * time.Minute)
	first, second := w.Hub.Commit(pipelinetest.BothEnvironments), w.Hub.Commit(pipelinetest.BothEnvironments)
	newer, older := w.Dispatch(second, "push"), w.Dispatch(first, "push") // by the ids of their runs it is the other way round
	loser := pipelinetest.Must[pipeline.Request](t)(w.Send(older))
	pipelinetest.Must[deploy.TargetResult](t)(w.Plan(loser, "staging"))
	waiting := pipelinetest.Must[pipeline.Request](t)(w.Send(newer))
	pipelinetest.Must[deploy.TargetResult](t)(w.Plan(waiting, "staging"))
	w.Report(waiting, false)
	if st := pipelinetest.Must[ledger.TargetStatus](t)(ledger.ReadTargetStatus(context.Background(), pipelinetest.RecordsOf(w.Store, w.Sealer), loser, loser.Targets[0].Target)); st.Result.Newer != waiting.ID {
		t.Fatalf("the result of the superseded request names %q", st.Result.Newer)
	}
	return played{waiting: waiting, loser: loser}
}

// indexes are the keys of all entries of indexes.
func indexes(w *pipelinetest.Setup) []string {
	w.T.Helper()
	return slices.DeleteFunc(w.Keys(""), func(key string) bool {
		_, is := record.IndexOf(key)
		_, open := record.OpenEntryOf(key)
		return !is && !open
	})
}

// contents are all objects of the store.
func contents(w *pipelinetest.Setup) map[string]string {
	w.T.Helper()
	all := map[string]string{}
	for _, key := range w.Keys("") {
		all[key] = string(w.Read(key))
	}
	return all
}

func reindexer(w *pipelinetest.Setup) *recovery.Reindexer {
	return &recovery.Reindexer{Store: w.Store, Sealer: w.Sealer, Now: func() time.Time { return w.Now }}
}

func reindex(w *pipelinetest.Setup, fix bool) recovery.ReindexResult {
	w.T.Helper()
	r := reindexer(w)
	names := pipelinetest.Must[[]pipeline.CustomerName](w.T)(r.Customers(context.Background()))
	return pipelinetest.Must[recovery.ReindexResult](w.T)(r.Run(context.Background(), names, fix))
}

// entries are the keys of the entries in a state.
func entries(r recovery.ReindexResult, state recovery.IndexState) []string {
	var keys []string
	for _, e := range r.Entries {
		if e.State == state {
			keys = append(keys, e.Key)
		}
	}
	slices.Sort(keys)
	return keys
}

// TestReindex deletes all indexes and has them built again: they are what they were, to the
// byte, and the requests go on from there.
func TestReindex(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	p := playRequests(w)
	before, all := indexes(w), contents(w)
	if got := reindex(w, true); len(got.Entries) != 0 || got.Requests != 7 || got.Present != len(before) {
		t.Fatalf("of a whole store: %+v, want 7 requests and %d entries", got, len(before))
	}
	if !maps.Equal(contents(w), all) {
		t.Fatal("a whole store was changed")
	}
	for _, key := range before {
		w.Delete(key)
	}
	dry := reindex(w, false)
	if got := entries(dry, recovery.IndexMissing); !slices.Equal(got, before) || len(indexes(w)) != 0 {
		t.Fatalf("missing:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(before, "\n"))
	}
	if got := entries(reindex(w, true), recovery.IndexWritten); !slices.Equal(got, before) || !slices.Equal(indexes(w), before) {
		t.Fatalf("written:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(before, "\n"))
	}
	for key, content := range all {
		_, sealed := record.OpenEntryOf(key)
		if got := string(w.Read(key)); got != content && !sealed && !isVerdict(content) {
			t.Errorf("%s holds %q, and held %q", key, got, content)
		}
	}
	if again := reindex(w, true); len(again.Entries) != 0 {
		t.Errorf("a second time: %+v", again.Entries)
	}
	goOn(t, w, p)
}

// isVerdict reports whether an entry is a sealed record: no two seals are the same.
func isVerdict(content string) bool { return strings.Contains(content, `"seal"`) }

// goOn applies and sweeps what playRequests has left.
func goOn(t *testing.T, w *pipelinetest.Setup, p played) {
	t.Helper()
	_, err := w.Apply(w.Target(p.loser, "staging"))
	pipelinetest.WantRefused(t, "the apply of the superseded request", err, pipeline.ReasonSuperseded)
	_, err = w.Plan(p.loser, "staging")
	pipelinetest.WantRefused(t, "another plan of the superseded request", err, pipeline.ReasonSuperseded)
	for _, target := range p.waiting.Targets {
		if target.Environment != "staging" {
			pipelinetest.Must[deploy.TargetResult](t)(w.Plan(p.waiting, target.Environment))
		}
		pipelinetest.Must[deploy.TargetResult](t)(w.Apply(w.Target(p.waiting, target.Environment)))
	}
	if got := w.Report(p.waiting, true).Overall(); got != pipeline.StatusSuccess {
		t.Errorf("the request that waited: %s", got)
	}
	for id, run := range w.Hub.Runs {
		run.Status, run.Conclusion, run.UpdatedAt = "completed", "cancelled", w.Now
		w.Hub.Runs[id] = run
	}
	w.Now = w.Now.Add(time.Hour)
	w.Sweep(&pipelinetest.StateLocks{}, true)
	if open := w.OpenKeys(); len(open) != 0 {
		t.Errorf("open after the sweep: %v", open)
	}
}

// TestReindexInterrupted: wherever it stops, the next one writes the rest, and a queue is never
// without its newest request while it has an older one.
func TestReindexInterrupted(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	p := playRequests(w)
	before := indexes(w)
	for _, key := range before {
		w.Delete(key)
	}
	whole := w.Store
	for written := 0; ; written++ {
		w.Store = &failing{Store: whole, writes: 1}
		_, err := reindexer(w).Run(context.Background(), []pipeline.CustomerName{"acme"}, true)
		w.Store = whole
		if queue := w.Keys(record.QueuePrefix(p.loser.Targets[0].Target)); len(queue) > 0 {
			if id, _ := record.EntryOf(queue[len(queue)-1]); id != p.waiting.ID {
				t.Fatalf("after %d writes the newest entry is of %s", written, id)
			}
		}
		if err == nil {
			break
		}
		if got := len(indexes(w)); got != written+1 || !errors.Is(err, errFull) {
			t.Fatalf("%d entries after %d writes: %v", got, written+1, err)
		}
	}
	if got := indexes(w); !slices.Equal(got, before) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(before, "\n"))
	}
}

var errFull = errors.New("the store takes no more")

// failing is a store that takes a number of writes.
type failing struct {
	pipeline.Store
	writes int
}

func (f *failing) Create(ctx context.Context, key string, body io.Reader) error {
	if f.writes--; f.writes < 0 {
		return errFull
	}
	return f.Store.Create(ctx, key, body)
}

// TestReindexBesideFetchVars: a request that is accepted while the indexes are built is whole
// afterwards, whatever was seen of it.
func TestReindexBesideFetchVars(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	playRequests(w)
	before := indexes(w)
	w.Now = w.Now.Add(time.Hour)
	sent := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push")))
	want := slices.Sorted(slices.Values(slices.Concat(before, record.Places(sent), []string{record.OpenKey(sent)})))
	whole, objects := w.Store, contents(w)
	own := slices.Concat(record.Places(sent), []string{record.OpenKey(sent), pipelinetest.RequestFile(sent.ID)})
	for seen := range len(own) + 1 {
		for _, key := range own[seen:] {
			w.Delete(key)
		}
		w.Store = &beside{Store: whole, after: func() { // fetch-vars goes on while the reindex looks
			for _, key := range own[seen:] {
				if err := whole.Create(context.Background(), key, strings.NewReader(objects[key])); err != nil {
					t.Error(err)
				}
			}
		}}
		got := reindex(w, true)
		w.Store = whole
		if !slices.Equal(indexes(w), want) || got.Count(recovery.IndexRemoved, recovery.IndexStale, recovery.IndexTampered) != 0 {
			t.Errorf("after %d objects: %+v\ngot\n%s\nwant\n%s", seen, got.Entries, strings.Join(indexes(w), "\n"), strings.Join(want, "\n"))
		}
	}
}

// beside does something once, after the first list of the customer.
type beside struct {
	pipeline.Store
	after func()
}

func (b *beside) List(ctx context.Context, prefix string) ([]string, error) {
	keys, err := b.Store.List(ctx, prefix)
	if prefix == "acme/" && b.after != nil {
		b.after()
		b.after = nil
	}
	return keys, err
}

// TestReindexBelievesNoForgery: a record that was changed, or is under another key, is named and never
// entered, and neither is one that was copied to another customer.
func TestReindexBelievesNoForgery(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	p := playRequests(w)
	w.EditRequest(p.waiting.ID, [2]string{`"mode": "apply"`, `"mode": "plan"`})
	w.Create("other/requests/"+string(p.loser.ID)+".json", string(w.Read(pipelinetest.RequestFile(p.loser.ID))))
	for _, key := range indexes(w) {
		w.Delete(key)
	}
	for range 2 {
		got := reindex(w, true)
		if want := []string{pipelinetest.RequestFile(p.waiting.ID), "other/requests/" + string(p.loser.ID) + ".json"}; !slices.Equal(entries(got, recovery.IndexTampered), want) {
			t.Errorf("%+v, want %v tampered", got.Entries, want)
		}
	}
	for _, key := range indexes(w) {
		if strings.Contains(key, string(p.waiting.ID)) || strings.Contains(key, "other") {
			t.Errorf("%s was entered", key)
		}
	}
	w.Sealer = pipelinetest.New(t).Sealer // another key
	for _, key := range indexes(w) {
		w.Delete(key)
	}
	if got := reindex(w, true); got.Count(recovery.IndexUnknown) != 8 || got.Requests != 0 || len(indexes(w)) != 0 {
		t.Errorf("under another key: %+v", got)
	}
}

// TestReindexRemoves: what belongs to no request goes with fix alone, and only once no fetch-vars
// can be writing its request.
func TestReindexRemoves(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	p := playRequests(w)
	before := indexes(w)
	target := p.loser.Targets[0].Target
	nobody := p.loser
	nobody.ID = "11111111-1111-4111-8111-111111111111"
	forged := record.QueueOf(target).Prefix + p.loser.OrderAt(w.Now.Add(time.Hour))
	young, nonsense := record.QueueOf(target).Own(nobody), record.QueuePrefix(target)+"nonsense"
	misplaced := "acme/pulls/9/" + p.loser.Order()
	open := record.OpenKey(nobody)
	for _, key := range []string{forged, young, nonsense, misplaced, open} {
		w.Create(key, "x")
	}
	if got := reindex(w, true); len(entries(got, recovery.IndexStale)) != 0 || !slices.Equal(entries(got, recovery.IndexRemoved), []string{misplaced, forged, nonsense}) {
		t.Errorf("at once: %+v", got.Entries)
	}
	w.Now = w.Now.Add(2 * time.Hour)
	if got := reindex(w, false); !slices.Equal(entries(got, recovery.IndexStale), []string{open, young}) {
		t.Errorf("two hours later: %+v", got.Entries)
	}
	w.Now = w.Now.Add(pipeline.LongestRun)
	if got := reindex(w, false); !slices.Equal(entries(got, recovery.IndexStale), []string{open, young}) || !slices.Contains(w.Keys("acme/"), young) {
		t.Errorf("without fix: %+v", got.Entries)
	}
	reindex(w, true)
	if got := slices.DeleteFunc(indexes(w), func(key string) bool { return key == open }); !slices.Equal(got, before) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(before, "\n"))
	}
}

// TestReindexNamesDoubt: where no sealed result says which of two pushes is newer, the one that
// may be is named.
func TestReindexNamesDoubt(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	first, second := w.Hub.Commit(pipelinetest.BothEnvironments), w.Hub.Commit(pipelinetest.BothEnvironments)
	newer, older := w.Dispatch(second, "push"), w.Dispatch(first, "push")
	loser := pipelinetest.Must[pipeline.Request](t)(w.Send(older))
	winner := pipelinetest.Must[pipeline.Request](t)(w.Send(newer))
	for _, key := range indexes(w) {
		w.Delete(key)
	}
	target := loser.Targets[0].Target
	want := []string{record.QueueOf(loser.Targets[1].Target).Own(winner), record.QueueOf(target).Own(winner)}
	for _, fix := range []bool{false, true} {
		got := reindex(w, fix)
		if !slices.Equal(entries(got, recovery.IndexDoubt), want) {
			t.Errorf("%+v, want %v in doubt", got.Entries, want)
		}
		for _, e := range got.Entries {
			if e.State == recovery.IndexDoubt && !pipelinetest.ContainsAll(e.Next, first.Short(), second.Short(), "push again") {
				t.Errorf("next: %s", e.Next)
			}
		}
	}
	if got := reindex(w, true); len(got.Entries) != 0 {
		t.Errorf("once they are there: %+v", got.Entries)
	}
	w.Now = w.Now.Add(time.Hour)
	again := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push")))
	if newest := pipelinetest.Must[pipeline.RequestID](t)(record.Superseding(context.Background(), pipelinetest.RecordsOf(w.Store, w.Sealer), loser, target)); newest != again.ID {
		t.Errorf("after another push the newest request is %s", newest)
	}
}

// TestReindexWithoutPlans: plans go with the lifecycle of the bucket. Then the ledger says how a request
// ended, and where it says nothing, the request is not opened again: its report would call it
// failed.
func TestReindexWithoutPlans(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	p := playRequests(w)
	w.Now = w.Now.Add(20 * 24 * time.Hour)
	for _, key := range w.Keys("acme/") {
		if strings.Contains(key, "/plans/") || strings.HasPrefix(key, "_metapipe/open/") {
			w.Delete(key)
		}
	}
	w.DeleteAll("_metapipe/open/")
	open := entries(reindex(w, false), recovery.IndexMissing)
	if !slices.Contains(open, record.OpenKey(p.waiting)) || len(open) != 1 {
		t.Errorf("open: %v", open)
	}
	w.DeleteAll(record.LedgerPrefix(p.loser.Targets[0].Target))
	got := reindex(w, true)
	if len(w.OpenKeys()) != 0 || got.Count(recovery.IndexDoubt) != 6 {
		t.Errorf("without a ledger: %+v", got.Entries)
	}
	for _, e := range got.Entries {
		if !strings.Contains(e.Next, fmt.Sprintf("metapipe report --customer acme --request %s --final", e.Request)) {
			t.Errorf("%+v", e)
		}
	}
}

// TestReindexEndedWithin: whether an end was reported, the lost index alone knew. Entered again, a request
// is reported by the sweep, which writes what GitHub does not have.
func TestReindexEndedWithin(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	r := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push")))
	for _, target := range r.Targets {
		pipelinetest.Must[deploy.TargetResult](t)(w.Plan(r, target.Environment))
		pipelinetest.Must[deploy.TargetResult](t)(w.Apply(w.Target(r, target.Environment)))
	}
	w.DeleteAll("_metapipe/open/") // before its report, which never comes
	w.SetRun(r, "completed", "failure")
	w.Now = w.Now.Add(3 * time.Hour)
	again := reindexer(w)
	for _, c := range []struct {
		within time.Duration
		open   int
	}{{0, 0}, {time.Hour, 0}, {4 * time.Hour, 1}} {
		again.EndedWithin = c.within
		pipelinetest.Must[recovery.ReindexResult](t)(again.Run(context.Background(), []pipeline.CustomerName{"acme"}, true))
		if open := w.OpenKeys(); len(open) != c.open {
			t.Fatalf("ended within %s: %v", c.within, open)
		}
	}
	if got := pipelinetest.FindingKinds(w.Sweep(&pipelinetest.StateLocks{}, true)); got != string(sweep.FindingUnfinished)+" fixed=true" || len(w.OpenKeys()) != 0 {
		t.Errorf("the sweep: %s, open %v", got, w.OpenKeys())
	}
	if s := w.Hub.Status(r.Commit, "infra/terraform-deploy"); s.State != pipeline.StatusSuccess {
		t.Errorf("%+v", s)
	}
}
