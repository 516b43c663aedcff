package sourcesync

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/change"
	"github.com/metapipe/metapipe/pkg/pipeline/properties"
)

// Sync makes the plan that brings properties in line with their sources.
type Sync struct {
	Config    Config
	Connect   func(SourceConfig) (Source, error)
	GitHub    GitHub
	Customers []pipeline.Customer
	Book      Book // what the runs before have left
	// Source, Property and Repositories narrow what is written; empty: everything. All sources that
	// have a say are read for all that.
	Sources      []string
	Property     string
	Repositories []string // owner/name
	AllowFewer   bool     // far fewer rows than in the last good read are fine
}

// Result is the plan of a run.
type Result struct {
	Plan    change.Plan
	Report  Report // before anything is written
	rows    map[string]int
	settled []change.Row // of which an earlier run has written down that they are there
}

// decision is the value that a property of a repository has to have.
type decision struct {
	source string
	text   string
	unset  bool
}

// Plan reads everything and makes the plan.
func (s *Sync) Plan(ctx context.Context) (Result, error) {
	result := Result{rows: map[string]int{}, Report: Report{Version: 1, Sources: []SourceReport{}, Findings: []Finding{}}}
	rules, err := s.rules()
	if err != nil {
		return result, err
	}
	f, unread, err := s.readFleet(ctx)
	if err != nil {
		return result, err
	}
	chosen, err := s.chosen(f)
	if err != nil {
		return result, err
	}
	w := &work{Sync: s, fleet: f, result: &result, reads: map[string]*read{}}
	result.Report.Repositories, result.Report.Findings = len(f.repos), append(result.Report.Findings, unread...)
	for _, c := range s.needed(rules) {
		r := s.readSource(ctx, c, f)
		if ctx.Err() != nil {
			return result, ctx.Err()
		}
		w.reads[c.Name] = r
		w.tell(r)
	}
	w.unclaimed()
	var rows []change.Row
	for _, rule := range rules {
		if !w.available(rule) {
			continue
		}
		for _, repo := range chosen {
			row, write, err := w.row(ctx, rule, repo)
			if err != nil {
				return result, err
			}
			if write {
				rows = append(rows, row)
			}
		}
	}
	result.Plan = change.NewPlan(properties.KindValues, len(f.repos), w.unsettled(rows))
	result.Report.Unchanged = len(result.settled) + len(result.Plan.Same)
	return result, nil
}

// rules are those of the properties that are written.
func (s *Sync) rules() ([]PropertyRule, error) {
	for _, name := range s.Sources {
		if !slices.ContainsFunc(s.Config.Sources, func(c SourceConfig) bool { return c.Name == name }) {
			var names []string
			for _, c := range s.Config.Sources {
				names = append(names, c.Name)
			}
			return nil, pipeline.Usagef("%s has no source %s", File, pipeline.Quote(name)).Nextf("use one of: %s", strings.Join(names, ", "))
		}
	}
	rules := slices.DeleteFunc(slices.Clone(s.Config.Properties), func(p PropertyRule) bool {
		return s.Property != "" && !strings.EqualFold(p.Name, s.Property) ||
			len(s.Sources) > 0 && !slices.ContainsFunc(p.Sources, func(name string) bool { return slices.Contains(s.Sources, name) })
	})
	if len(rules) == 0 {
		return nil, pipeline.Usagef("no source gives what is asked for").Nextf("look at `fields` in %s, and at --source and --property", File)
	}
	return rules, nil
}

// chosen are the repositories that are written to.
func (s *Sync) chosen(f *fleet) ([]Repository, error) {
	if len(s.Repositories) == 0 {
		return f.repos, nil
	}
	wanted := map[int64]bool{}
	for _, name := range s.Repositories {
		id := f.byName[strings.ToLower(name)]
		if !slices.ContainsFunc(f.repos, func(r Repository) bool { return r.ID == id }) {
			return nil, pipeline.Usagef("%s is no repository that this token sees and that can be written to", pipeline.Quote(name)).Nextf("write owner/name as GitHub shows it now")
		}
		wanted[id] = true
	}
	return slices.DeleteFunc(slices.Clone(f.repos), func(r Repository) bool { return !wanted[r.ID] }), nil
}

// work is one run.
type work struct {
	*Sync
	fleet  *fleet
	result *Result
	reads  map[string]*read
}

func (w *work) find(f Finding) { w.result.Report.Findings = append(w.result.Report.Findings, f) }

// tell reports how a source was read.
func (w *work) tell(r *read) {
	report := SourceReport{Name: r.config.Name, Type: r.config.Type, Rows: r.rows}
	if r.err != nil {
		report.Reason = r.err.Error()
	} else {
		w.result.rows[r.config.Name] = r.rows
	}
	w.result.Report.Sources = append(w.result.Report.Sources, report)
	for _, one := range r.unmatched {
		w.find(Finding{Kind: Unmatched, Source: r.config.Name, Message: fmt.Sprintf("%s: no repository has the %s %s", one.Where, r.config.Key, pipeline.Quote(one.Key))})
	}
}

// unclaimed lists the repositories of which no source has a row. One that could not be read may have one.
func (w *work) unclaimed() {
	for _, r := range w.reads {
		if r.err != nil {
			return
		}
	}
	for _, repo := range w.fleet.repos {
		claimed := false
		for _, r := range w.reads {
			claimed = claimed || len(r.records[repo.ID]) > 0
		}
		if !claimed {
			w.find(Finding{Kind: Unclaimed, Repository: repo.Slug.String(), RepositoryID: repo.ID, Message: "no source has a row for it"})
		}
	}
}

// available reports whether any value of a property can be known. It is not where the source with the
// most authority could not be read.
func (w *work) available(rule PropertyRule) bool {
	for i, name := range rule.Sources {
		if w.reads[name].err == nil {
			continue
		}
		if i == 0 || rule.OnConflict == ReportOnly {
			w.find(Finding{Kind: Unavailable, Source: name, Property: rule.Name, Message: fmt.Sprintf("%s could not be read, so no %s is written", name, rule.Name)})
			return false
		}
		w.find(Finding{Kind: Unavailable, Source: name, Property: rule.Name, Message: fmt.Sprintf("%s could not be read, so %s is written only where a source before it has a value", name, rule.Name)})
	}
	return true
}

// decide finds the value of a property of a repository; false: nothing is to be written.
func (w *work) decide(rule PropertyRule, repo Repository) (d decision, decided bool) {
	about := Finding{Property: rule.Name, Repository: repo.Slug.String(), RepositoryID: repo.ID}
	tell := func(kind Kind, source, format string, args ...any) {
		f := about
		f.Kind, f.Source, f.Message = kind, source, fmt.Sprintf(format, args...)
		w.find(f)
	}
	for _, name := range rule.Sources {
		r := w.reads[name]
		if r.err != nil {
			return d, decided // what it says could only be a conflict, or it counts and is not known
		}
		field, _ := r.config.Field(rule.Name)
		text, err := r.value(repo.ID, field)
		switch {
		case err == nil && !decided:
			d, decided = decision{source: name, text: text}, true
		case err == nil && !d.unset && text != d.text:
			tell(Conflict, name, "%s says %s, and %s says %s", d.source, pipeline.Quote(d.text), name, pipeline.Quote(text))
			if rule.OnConflict == ReportOnly {
				return decision{}, false
			}
		case err == nil || decided: // they agree, or a later source has nothing to say
		case errors.Is(err, errUnclear):
			tell(Unclear, name, "%v", err)
		case !errors.Is(err, errNoValue):
			tell(Invalid, name, "%v", err)
			return d, false
		case field.OnMissing == MissingReport:
			tell(NoValue, name, "%s has no value for it", name)
		case field.OnMissing == MissingUnset:
			d, decided = decision{source: name, unset: true}, true
		}
	}
	return d, decided
}

// row is the row of a property of a repository; false: nothing is to be written, nor is the value there.
func (w *work) row(ctx context.Context, rule PropertyRule, repo Repository) (change.Row, bool, error) {
	d, decided := w.decide(rule, repo)
	if !decided || len(w.Sources) > 0 && !slices.Contains(w.Sources, d.source) {
		return change.Row{}, false, nil
	}
	tell := func(kind Kind, message string) {
		w.find(Finding{Kind: kind, Source: d.source, Property: rule.Name, Repository: repo.Slug.String(), RepositoryID: repo.ID, Message: message})
	}
	definition, err := w.fleet.definition(ctx, w.GitHub, repo.Slug, rule.Name)
	if isNotDefined(err) {
		tell(Invalid, err.Error())
		return change.Row{}, false, nil
	}
	if err != nil {
		return change.Row{}, false, err
	}
	left, known := w.Book.value(repo.ID, definition.Name)
	if d.unset && !known { // nothing that sync has written
		return change.Row{}, false, nil
	}
	if n := severalValues(d.text); definition.Type != pipeline.PropertyMultiSelect && n > 0 {
		tell(Invalid, fmt.Sprintf("the source has a list of %d, and the property takes one value", n))
		return change.Row{}, false, nil
	}
	value, err := properties.Assignment{Name: rule.Name, Text: d.text, Unset: d.unset}.Value(definition)
	if err != nil {
		tell(Invalid, err.Error())
		return change.Row{}, false, nil
	}
	old := repo.Properties.Get(definition.Name)
	if old.Form == pipeline.PropertyOther {
		tell(Invalid, "it has a value that metapipe cannot read, so it cannot be kept for the way back")
		return change.Row{}, false, nil
	}
	row := change.Row{Place: change.Place{ID: repo.ID, Name: repo.Slug.String()}, What: definition.Name, Old: properties.Canonical(old), New: properties.Canonical(value),
		Reason: d.source, Customers: w.fleet.customers[repo.ID]}
	if !known || bytes.Equal(left, row.Old) || bytes.Equal(row.Old, row.New) {
		return row, true, nil
	}
	message := fmt.Sprintf("the last run has left %s, and %s is there now", clip(left), clip(row.Old))
	if rule.ChangedByHand == ByHand || d.unset {
		tell(Overridden, message+": it stays")
		return change.Row{}, false, nil
	}
	tell(Overridden, message+": "+d.source+" counts")
	row.Reason += ", changed by hand"
	return row, true, nil
}

// severalValues is the number of values in the JSON list that sources make of several ones; 0: it is none.
func severalValues(text string) int {
	var list []string
	if !strings.HasPrefix(text, "[") || json.Unmarshal([]byte(text), &list) != nil {
		return 0
	}
	return len(list)
}

// unsettled are the rows without those that are as the last run has left them and are to stay so. What a run
// has left that was stopped is not among those: it may have to be settled in the ledger.
func (w *work) unsettled(rows []change.Row) []change.Row {
	return slices.DeleteFunc(rows, func(r change.Row) bool {
		left, known := w.Book.value(r.ID, r.What)
		settled := bytes.Equal(r.Old, r.New) && known && bytes.Equal(left, r.New)
		if settled {
			w.result.settled = append(w.result.settled, r)
		}
		return settled
	})
}

// Guard refuses a plan that gives more repositories another value of one property than sync.yml
// and --max-changes allow.
func (r Result) Guard(c Config, allowed int) error {
	changed := map[string]int{}
	for _, row := range r.Plan.Rows {
		changed[row.What]++
	}
	limit := max(1, r.Report.Repositories*c.MaxChange/100)
	for _, row := range r.Plan.Rows {
		if n := changed[row.What]; n > max(limit, allowed) {
			return pipeline.Usagef("%d of %d repositories would get another %s, and %d are possible without --max-changes: max_change is %d%%", n, r.Report.Repositories, row.What, limit, c.MaxChange).
				Nextf("look at each line of the plan, then add --max-changes %d", max(n, r.Plan.Places()))
		}
	}
	return r.Plan.Guard(allowed)
}

// clip is a value for a message.
func clip(value json.RawMessage) string { return pipeline.Clip(string(value), 80) }
