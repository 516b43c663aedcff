package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/github"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/compliance"
	"github.com/metapipe/metapipe/pkg/pipeline/properties"
	"github.com/metapipe/metapipe/pkg/render"
)

// protectedProperties are those that no fix may touch: what they say is a decision of people, or an id that
// others have given.
func protectedProperties(m pipeline.Manager) func(property string) bool {
	names := pipeline.DefaultPropertyRules().Names
	if m.Properties != nil {
		names = m.Properties.Names
	}
	return func(property string) bool {
		return slices.ContainsFunc([]pipeline.PropertyMeaning{pipeline.MeaningTools, pipeline.MeaningTier, pipeline.MeaningStackName, pipeline.MeaningBilling, pipeline.MeaningCustomerID},
			func(m pipeline.PropertyMeaning) bool { return strings.EqualFold(names[m], property) })
	}
}

// complianceFix shows or writes the new values that fix findings.
func (m *manager) complianceFix(ctx context.Context, o complianceOptions, client *github.Client, r compliance.Report) error {
	changes := make([]properties.Change, len(r.Fixes))
	fixed := map[string]bool{}
	for i, f := range r.Fixes {
		changes[i] = properties.Change{Repository: f.Repository, Name: f.Property, Old: f.Old, New: f.New, Reason: f.Reason}
	}
	plan := properties.NewPlan(r.Scanned, m.config.Customers, changes)
	for _, row := range plan.Rows {
		fixed[row.Name+" "+strings.ToLower(row.What)] = true
	}
	left := 0
	for _, f := range r.Findings {
		if !fixed[f.Repository.String()+" "+strings.ToLower(f.Property)] {
			left++
		}
	}
	notes := []string{fmt.Sprintf("%d of %d findings have no new value that compliance.yml allows", left, len(r.Findings))}
	for _, u := range r.Unknown {
		notes = append(notes, "not known, so nothing is written for it: "+render.UnknownName(u))
	}
	err := m.play(ctx, o.changeOptions, plan, properties.ValueWriter{GitHub: client}, "metapipe compliance", notes...)
	if err == nil && len(r.Unknown) > 0 && !o.allowUnknown {
		err = unknownError(r)
	}
	return err
}

// complianceUndo writes the values of a file that a run has kept.
func (a *App) complianceUndo(ctx context.Context, o complianceOptions) error {
	file, err := a.changeFile(o.changeOptions, properties.KindValues)
	if err != nil {
		return err
	}
	o.tokens = []string{envSourceToken}
	m, err := a.changeManager(ctx, o.changeOptions, func(*manager) error { return nil })
	if err != nil {
		return err
	}
	client, err := m.github.organization(setGrants(o.apply))
	if err != nil {
		return err
	}
	plan, err := properties.PlanOf(file, m.config.Customers)
	if err != nil {
		return err
	}
	return m.play(ctx, o.changeOptions, plan, properties.ValueWriter{GitHub: client}, "metapipe compliance")
}
