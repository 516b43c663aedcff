package compliance

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/issues"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// Issuer keeps one issue about the fleet in the manager, and one in the repository of each customer with
// findings. It is run by one process at a time.
type Issuer struct {
	Records record.Records
	Manager pipeline.Slug
	Now     func() time.Time
	// Body is the text of the issue of the manager, CustomerBody that of a customer. Equal findings give equal
	// texts, so that an unchanged scan writes nothing.
	Body         func(Report) string
	CustomerBody func([]Finding) string
}

// The two kinds of issues. Their books lie apart, since each run knows the whole of its own.
var (
	fleetIssue    = issues.Kind{Name: "compliance", Label: "compliance", Snooze: "compliance-snooze-", Book: "_metapipe/compliance/issue/"}
	customerIssue = issues.Kind{Name: "compliance", Label: "compliance", Snooze: "compliance-snooze-", Book: "_metapipe/compliance/customers/"}
)

// partName is the part of a customer that the issues are about: all of the repository.
const partName = "properties"

func (i Issuer) keeper(kind issues.Kind, github issues.Tracker) issues.Keeper {
	return issues.Keeper{Kind: kind, Manager: i.Manager, Records: i.Records, GitHub: github, Now: i.Now}
}

// Fleet brings the issue of the manager in line with a whole scan. What is not known closes nothing: where
// that is all there is, the issue stays as it is. manager is the repository as GitHub shows it.
func (i Issuer) Fleet(ctx context.Context, github issues.Tracker, run string, r Report, manager pipeline.Repository) ([]issues.Outcome, error) {
	if len(r.Findings) == 0 && (len(r.Unknown) > 0 || r.Scanned == 0) {
		return nil, nil
	}
	keeper := i.keeper(fleetIssue, github)
	book, err := keeper.Load(ctx)
	if err != nil {
		return nil, err
	}
	f := issues.Finding{Customer: pipeline.Customer{Repository: manager.Slug, RepositoryID: manager.ID, File: "GITHUB_REPOSITORY"}, Name: partName,
		Title: "Repositories do not comply with " + File, Labels: []string{fleetIssue.Label}}
	if len(r.Findings) > 0 {
		f.Body = i.Body(r)
	} else {
		f.Closing = "All repositories comply with `" + File + "`."
	}
	return keeper.Run(ctx, run, book, []issues.Finding{f}, fleetWrites)
}

// fleetWrites is how many writes one issue may need: its end, and the comment about it.
const fleetWrites = 2

// Customers brings the issues of customers in line with a scan, in at most budget writes. The issue of a
// repository of which something is not known, or that was not compared, stays as it is.
func (i Issuer) Customers(ctx context.Context, github issues.Tracker, run string, r Report, customers []pipeline.Customer, budget int) ([]issues.Outcome, error) {
	keeper := i.keeper(customerIssue, github)
	book, err := keeper.Load(ctx)
	if err != nil {
		return nil, err
	}
	found := map[int64][]Finding{}
	for _, f := range r.Findings {
		found[f.RepositoryID] = append(found[f.RepositoryID], f)
	}
	var findings []issues.Finding
	registered := map[pipeline.CustomerName]bool{}
	seen := map[int64]bool{} // customers that share a repository share the issue
	has := func(c pipeline.Customer) bool {
		stored, known := book.Targets[issues.Finding{Customer: c, Name: partName}.Key()]
		return known && stored.Open && stored.Repository == c.RepositoryID
	}
	for _, c := range customers {
		registered[c.Name] = true
	}
	byName := slices.SortedFunc(slices.Values(customers), func(a, b pipeline.Customer) int { return strings.Compare(string(a.Name), string(b.Name)) })
	slices.SortStableFunc(byName, func(a, b pipeline.Customer) int { // the one that has the issue keeps it
		switch {
		case has(a) == has(b):
			return 0
		case has(a):
			return -1
		}
		return 1
	})
	for _, c := range byName {
		if seen[c.RepositoryID] || !r.Compared[c.RepositoryID] || r.isUnknown(c) {
			continue
		}
		seen[c.RepositoryID] = true
		f := issues.Finding{Customer: c, Name: partName, Title: "Custom properties do not comply with the rules of your provider", Labels: []string{customerIssue.Label}}
		if own := found[c.RepositoryID]; len(own) > 0 {
			f.Body = i.CustomerBody(own)
		} else {
			f.Closing = "The repository complies with the rules."
		}
		findings = append(findings, f)
	}
	return keeper.Run(ctx, run, book, append(findings, ended(book, registered)...), budget)
}

// isUnknown reports whether something that concerns a customer's repository could not be read.
func (r Report) isUnknown(c pipeline.Customer) bool {
	return slices.ContainsFunc(r.Unknown, func(u Unknown) bool {
		return u.RepositoryID == c.RepositoryID || u.RepositoryID == 0 && strings.EqualFold(u.Organization, c.Repository.Owner)
	})
}

// ended are the open issues of customers that are not registered any more: no scan would look at them again.
func ended(book issues.Book, registered map[pipeline.CustomerName]bool) []issues.Finding {
	var findings []issues.Finding
	for _, key := range slices.Sorted(maps.Keys(book.Targets)) {
		stored := book.Targets[key]
		name, part, _ := strings.Cut(key, "/")
		if registered[pipeline.CustomerName(name)] || !stored.Open || stored.Number == 0 {
			continue
		}
		c := pipeline.Customer{Name: pipeline.CustomerName(name), Repository: stored.Slug, RepositoryID: stored.Repository, File: "the record of the issue"}
		findings = append(findings, issues.Finding{Customer: c, Name: part, Closing: "The customer " + name + " is not registered any more.", Ended: true})
	}
	return findings
}
