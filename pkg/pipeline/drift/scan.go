package drift

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/pipeline/registry"
	"github.com/metapipe/metapipe/pkg/pipeline/scans"
)

// Scanner looks at targets and writes down what it finds. It locks nothing
// and writes to no state.
type Scanner struct {
	Store  pipeline.Store
	Sealer pipeline.Sealer
	// Engine plans many targets at once.
	Engine planner
	// GitHub reads what customers want now. Nil, where there is none to ask: then
	// the variables that were applied last are compared with reality.
	GitHub desiredGitHub
	// State reads the state of a target that is not planned: of one that the store remembers,
	// and of others where the tool is not needed for it; the zero record elsewhere. A state
	// that is damaged is a refusal.
	State func(ctx context.Context, job pipeline.Job, remembered bool) (pipeline.StateRecord, error)
	Parse func(c pipeline.Customer, file string, raw []byte) (pipeline.Document, pipeline.Problems)
	Now   func() time.Time
	// Logged is called after each target, by one goroutine at a time.
	Logged func(done, total int, result Result)
}

type planner interface {
	Plan(ctx context.Context, job pipeline.Job) (pipeline.Planned, error)
}

// ScanInput is one call of a scanner.
type ScanInput struct {
	Scan      string // id of a scan that was begun
	Shard     int    // 1 … number of shards; 0: all
	Workers   int    // at least 1
	Customers []pipeline.Customer
	// Broken are why customers that have a file are not among Customers.
	Broken     map[pipeline.CustomerName]error
	ManagerDir string // absolute
	Dir        string // absolute, for workspaces
	// Backend says where the state of a target is.
	Backend func(pipeline.Target) pipeline.Backend
}

// Run looks at the targets of a shard that have no result yet. A target that
// cannot be looked at is a result too; the error is that of the scan itself.
func (s *Scanner) Run(ctx context.Context, in ScanInput) error {
	w := &scanWork{Scanner: s, in: in, customers: map[pipeline.CustomerName]pipeline.Customer{}, registered: map[pipeline.CustomerName]func() error{},
		files: &desiredFiles{github: s.GitHub, parse: s.Parse, reads: map[string]*desiredRead{}}}
	for _, c := range in.Customers {
		w.customers[c.Name] = c
		w.registered[c.Name] = sync.OnceValue(func() error { return registry.CheckRegistered(ctx, s.Store, s.Sealer, c) })
	}
	return scans.Check(ctx, Scans(s.Store, s.Sealer, s.Now), scans.Work[Result]{Scan: in.Scan, Shard: in.Shard, Workers: in.Workers, Check: w.target, Logged: s.Logged})
}

// scanWork is what the workers of one run share.
type scanWork struct {
	*Scanner
	in        ScanInput
	customers map[pipeline.CustomerName]pipeline.Customer
	// registered checks the name of a customer once, for all of its targets.
	registered map[pipeline.CustomerName]func() error
	files      *desiredFiles

	lookups atomic.Int32 // of targets that the store knows nothing of
}

// maxLookups bounds the targets without a record that a job of a scan asks GitHub about:
// where a store has moved, the first ones show it, and a fleet of new customers must not
// use up the calls of the hour.
const maxLookups = 25

// target looks at one target.
func (w *scanWork) target(ctx context.Context, t scans.Target) Result {
	began := w.Now()
	result := Result{Target: t.Target, CheckedAt: began.UTC()}
	if broken := w.in.Broken[t.Customer]; broken != nil {
		result.fail(&causeError{cause: "configuration", err: broken})
	} else if c, ok := w.customers[t.Customer]; !ok {
		result.fail(pipeline.Usagef("customer %s is not registered any more", t.Customer).Nextf("start a new scan"))
	} else if err := w.inspect(ctx, c, &result); pipeline.AsLost(err) != nil {
		result.lose(*pipeline.AsLost(err))
	} else if err != nil {
		result.fail(err)
		result.Failure.Diagnostics = pipeline.RedactedDiagnostics(result.Failure.Diagnostics, c.Manager.Redaction)
	} else if result.Plan != nil {
		shown := result.Plan.Redacted(c.Manager.Redaction)
		result.Plan = &shown
	}
	result.Duration = pipeline.Seconds(w.Now().Sub(began))
	return result
}

func (r *Result) fail(err error) {
	r.Kinds, r.Failure = []pipeline.DriftKind{pipeline.DriftError}, failureOf(err)
	r.Plan, r.Fingerprint, r.Ignored = nil, "", nil
}

// lose keeps that a state is lost: what a plan on another one says is worth nothing.
func (r *Result) lose(lost pipeline.LostState) {
	r.Kinds, r.Failure = []pipeline.DriftKind{pipeline.DriftLost}, &Failure{Cause: string(pipeline.ReasonStateLost), Message: lost.Why, Next: lost.Operator()}
}

// inspect fills in what one target is like.
func (w *scanWork) inspect(ctx context.Context, c pipeline.Customer, result *Result) error {
	t := result.Target
	result.Repository = pipeline.Repository{Slug: c.Repository, ID: c.RepositoryID}
	if err := w.registered[c.Name](); err != nil {
		return err
	}
	known, err := ledger.Remember(ctx, record.Records{Store: w.Store, Sealer: w.Sealer}, t)
	if known.Unread != nil {
		err = fmt.Errorf("%w\n→ %s", known.Unread, record.RekeyNext)
	}
	if err != nil {
		return err
	}
	if err := registry.CheckKnownOwner(ctx, record.Records{Store: w.Store, Sealer: w.Sealer}, known, c, t); err != nil {
		return err
	}
	last := known.Record
	if last != nil {
		result.Applied = last.ForDrift()
	}
	if known.Destroyed() { // nothing of it is there; what a plan would build is no drift
		result.Ended, result.Skipped = true, fmt.Sprintf("%s was destroyed at %s (request %s)", t.Name(), last.At.UTC().Format(time.RFC3339), last.Receipt.Request.Short())
		return nil
	}
	if !c.Has(t) {
		result.Skipped, err = w.left(ctx, c, known, t)
		return err
	}
	if known.Disabled != nil && c.Manager.Properties.Uses(known.Disabled.Property) {
		return w.disabled(ctx, c, known, result)
	}
	want, err := w.want(ctx, c, t, last)
	result.Branch, result.File, result.Blob = want.branch, want.file.Path, want.file.Blob
	if last != nil && last.Receipt.Blob == want.file.Blob {
		result.Commit = last.Receipt.Commit
	}
	if err != nil {
		return err
	}
	if want.document == nil || !pipeline.Declares(want.document.Environments(), t.Environment) {
		result.Skipped, err = w.unplanned(ctx, c, known, want, t)
		return err
	}
	return w.compare(ctx, c, known, want, result)
}

// compare plans a target as it should be, and says what differs.
func (w *scanWork) compare(ctx context.Context, c pipeline.Customer, known ledger.Remembered, want desired, result *Result) error {
	t, last := result.Target, known.Record
	mac, err := w.Sealer.MAC(ctx, t)
	if err != nil {
		return fmt.Errorf("get the key of the fingerprint of %s: %w", t, err)
	}
	dir := filepath.Join(w.in.Dir, filepath.FromSlash(t.Folder()))
	defer os.RemoveAll(dir) // what cannot be removed goes with the directory of the scan
	job := pipeline.Job{Customer: c, Environment: t.Environment, Stack: t.Stack, ManagerDir: w.in.ManagerDir, Dir: dir, Backend: w.in.Backend(t), MAC: mac, Log: io.Discard}
	if job.Needed, err = record.StoredNeeded(ctx, record.Records{Store: w.Store, Sealer: w.Sealer}, c, t); err != nil {
		return err
	}
	var lost *pipeline.LostState
	noState := false
	plan := func(variables pipeline.Document) (inspection, error) {
		job.Variables = variables
		planned, err := w.Engine.Plan(ctx, job)
		if err != nil {
			return inspection{}, err
		}
		noState = planned.Evidence.State().Lineage == ""
		lost = known.Lost(planned.Found(), job.Backend.String())
		return inspect(planned, c.Manager.Drift.Ignore, w.Now(), mac)
	}
	l, err := plan(want.document)
	var deferred *pipeline.DeferredError
	if errors.As(err, &deferred) {
		if result.Skipped, err = deferred.Message, nil; last != nil {
			err = noOutputs(t, deferred)
		}
		return err
	}
	if err != nil {
		return err
	}
	if noState && known.Nothing() && w.GitHub != nil && w.lookups.Add(1) <= maxLookups {
		if lost, err = ledger.CheckMoved(ctx, w.GitHub, c, t, job.Backend.String()); err != nil {
			return err
		}
	}
	if lost != nil {
		result.lose(*lost)
		return nil
	}
	sum, err := pipeline.SumNeeded(mac, job.Needed)
	if err != nil {
		return err
	}
	kinds, err := kindsOf(l, applied{want.file.Blob, sum}, last, func() (inspection, error) {
		document, err := w.lastVariables(ctx, c, *last)
		if err != nil {
			return inspection{}, err
		}
		return plan(document)
	})
	if err != nil {
		return err
	}
	result.take(l, kinds, c.Manager.Drift)
	return nil
}

// take keeps what was found, without the kinds that no one wants to know of.
func (r *Result) take(l inspection, kinds []pipeline.DriftKind, rules pipeline.DriftRules) {
	r.Ignored = l.ignored
	for _, kind := range kinds {
		if rules.Action(kind) != pipeline.DriftIgnore {
			r.Kinds = append(r.Kinds, kind)
		}
	}
	if len(r.Kinds) > 0 {
		r.Plan, r.Fingerprint = &l.plan, l.fingerprint
	}
}

// lastVariables is the configuration that was applied last.
func (w *scanWork) lastVariables(ctx context.Context, c pipeline.Customer, last record.LastApply) (pipeline.Document, error) {
	raw, err := last.OpenVariables(ctx, w.Sealer)
	if err != nil {
		return nil, record.TamperedOr(err, "the variables that were applied last")
	}
	return w.files.document(c, c.Path+"/"+pipeline.VariablesFile, raw)
}

// want is the configuration that a target should have.
func (w *scanWork) want(ctx context.Context, c pipeline.Customer, t pipeline.Target, last *record.LastApply) (desired, error) {
	if w.GitHub != nil {
		return w.files.of(ctx, c, t, last)
	}
	if last == nil {
		return desired{}, nil
	}
	document, err := w.lastVariables(ctx, c, *last)
	return desired{file: pipeline.File{Path: c.Path + "/" + pipeline.VariablesFile, Blob: last.Receipt.Blob}, document: document}, err
}
