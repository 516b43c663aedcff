package drift

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/issues"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// Issuer keeps at most one issue for each target in the customers' repositories. It is
// run by one process at a time, after a scan.
type Issuer struct {
	Store  pipeline.Store
	Sealer pipeline.Sealer
	GitHub issues.Tracker
	// Body is the text for what differs, Closing the comment that ends it; equal
	// results give equal texts.
	Body    func(r Result) string
	Closing func(r Result) string
	// Broken are customers with a file that has problems: nothing is known about their issues.
	Broken []pipeline.CustomerName
	Now    func() time.Time
}

// TargetIssue is what became of the issue of one target.
type TargetIssue struct {
	pipeline.Target
	Number int           `json:"number,omitempty"` // 0: there is none
	URL    string        `json:"url,omitempty"`
	Action issues.Action `json:"action"`
	Reason string        `json:"reason,omitempty"` // snoozed, waiting or failed
}

// issueKind says how the issues of a scan are found, snoozed and remembered.
var issueKind = issues.Kind{Name: "drift", Label: "drift-detected", Snooze: "drift-snooze-", Book: "_metapipe/scans/issues/"}

// SnoozeLabel is the label that keeps an issue as it is until the end of a day.
func SnoozeLabel(day time.Time) string { return issueKind.SnoozeLabel(day) }

// Run brings the issues in line with a scan, in at most budget writes; the rest is
// left to the next scan, and so is what an error or a missing result says nothing
// about. What a later scan has looked at is left to that one. The error is that of the
// store alone: what GitHub refuses is reported target by target.
func (d *Issuer) Run(ctx context.Context, scan Scan, customers []pipeline.Customer, budget int) ([]TargetIssue, error) {
	records := record.Records{Store: d.Store, Sealer: d.Sealer}
	keeper := issues.Keeper{Kind: issueKind, Manager: scan.Manager, Records: records, GitHub: d.GitHub, Now: d.Now}
	book, err := keeper.Load(ctx)
	if err != nil {
		return nil, err
	}
	// It tells which results are old news, when a summary is run again.
	history, err := Scans(d.Store, d.Sealer, d.Now).History(ctx)
	if err != nil {
		return nil, err
	}
	registered := map[pipeline.CustomerName]pipeline.Customer{}
	for _, c := range customers {
		registered[c.Name] = c
	}
	var findings []issues.Finding
	for _, r := range scan.Results {
		c, ok := registered[r.Customer]
		if !ok || r.Failure != nil || r.Skipped != "" && !r.Ended || history.Targets[r.Target.String()].CheckedAt.After(r.CheckedAt) {
			continue
		}
		findings = append(findings, d.finding(c, r))
	}
	findings = append(findings, d.gone(book, registered)...)
	outcomes, err := keeper.Run(ctx, scan.ID, book, findings, budget)
	var printed []TargetIssue
	for _, o := range outcomes {
		printed = append(printed, TargetIssue{Target: targetOf(o.Customer, o.Name), Number: o.Number, URL: o.URL, Action: o.Action, Reason: o.Reason})
	}
	return printed, err
}

// finding is what the issue of a target says about a result: the kinds that are for
// the customer.
func (d *Issuer) finding(c pipeline.Customer, r Result) issues.Finding {
	r.Kinds = slices.DeleteFunc(slices.Clone(r.Kinds), func(k pipeline.DriftKind) bool { return c.Manager.Drift.Action(k) != pipeline.DriftIssue })
	f := issues.Finding{Customer: c, Name: r.Part(), Since: r.FirstSeen,
		Title:  fmt.Sprintf("Infrastructure differs from what was applied: %s", r.Target),
		Labels: []string{"infrastructure", issueKind.Label, string(r.Environment)}}
	if len(r.Kinds) > 0 {
		f.Body = d.Body(r)
	} else {
		f.Closing = d.Closing(r)
	}
	return f
}

// targetOf is the target whose finding has this name. A name that no target can have is that
// of an environment that is not there.
func targetOf(c pipeline.CustomerName, name string) pipeline.Target {
	t, err := c.ParsePart(name)
	if err != nil {
		return pipeline.Target{Customer: c, Environment: pipeline.Environment(name)}
	}
	return t
}

// gone are the open issues of targets that are not in the registry any more: no
// scan would ever look at them again.
func (d *Issuer) gone(book issues.Book, registered map[pipeline.CustomerName]pipeline.Customer) []issues.Finding {
	var findings []issues.Finding
	for _, name := range slices.Sorted(maps.Keys(book.Targets)) {
		stored := book.Targets[name]
		customer, part, _ := strings.Cut(name, "/")
		t := targetOf(pipeline.CustomerName(customer), part)
		c, known := registered[pipeline.CustomerName(customer)]
		unknown := slices.Contains(d.Broken, pipeline.CustomerName(customer))
		if unknown || known && c.Has(t) || !stored.Open || stored.Number == 0 {
			continue
		}
		why := "the customer " + customer + " is not registered any more"
		switch {
		case known && c.Allows(t.Environment):
			why = t.Name() + " is no stack of " + customer + " any more"
		case known:
			why = t.Name() + " is no environment of " + customer + " any more"
		}
		// The repository is the one that the issue was written to.
		c.Name, c.Repository, c.RepositoryID = pipeline.CustomerName(customer), stored.Slug, stored.Repository
		if c.File == "" {
			c.File = "the record of the issue"
		}
		f := d.finding(c, Result{Target: t, Skipped: why, CheckedAt: d.Now().UTC()})
		f.Ended = true
		findings = append(findings, f)
	}
	return findings
}
