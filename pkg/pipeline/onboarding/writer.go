package onboarding

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/change"
	"github.com/metapipe/metapipe/pkg/pipeline/settings"
)

// Writer writes the rows of a plan one by one, in their order.
type Writer struct {
	sides      map[int64]side
	proposals  map[string]Proposal
	secrets    map[string]string
	properties change.Writer
}

// Batches implements change.Writer.
func (w Writer) Batches(rows []change.Row) [][]change.Row {
	return slices.Collect(slices.Chunk(rows, 1))
}

// Read implements change.Writer.
func (w Writer) Read(ctx context.Context, rows []change.Row) []change.Seen {
	seen := make([]change.Seen, len(rows))
	for i, r := range rows {
		seen[i] = w.read(ctx, r)
	}
	return seen
}

func (w Writer) read(ctx context.Context, r change.Row) change.Seen {
	s := w.sides[r.ID]
	now, err := s.github.OnboardingRepository(ctx, s.slug())
	switch {
	case pipeline.NotVisible(err):
		return change.Seen{Gone: true}
	case err != nil:
		return change.Seen{Err: err}
	}
	seen := change.Seen{Place: change.Place{ID: now.ID, Name: now.Slug.String()}}
	if now.ID != r.ID || now.Slug != s.slug() {
		return seen // the row is refused
	}
	switch kind, name := split(r.What); kind {
	case pullRequestOf:
		var v sight
		if v, err = s.see(ctx, w.proposals[key(s, Proposal{Branch: name})]); err == nil {
			seen.Value, err = v.value()
		}
	case secretOf:
		var names []string
		names, err = s.github.SecretNames(ctx, s.slug())
		if seen.Value = change.None; slices.Contains(names, name) {
			seen.Value = set
		}
	case settings.VariableOf, settings.RulesetOf:
		seen.Value, err = s.github.Setting(ctx, s.slug(), r.What)
	default:
		return w.properties.Read(ctx, []change.Row{r})[0]
	}
	if err != nil {
		return change.Seen{Err: err}
	}
	return seen
}

// split is the kind of a row and the name behind it. A custom property has no kind.
func split(what string) (kind, name string) {
	for _, kind := range []string{pullRequestOf, secretOf, settings.VariableOf, settings.RulesetOf} {
		if name, found := strings.CutPrefix(what, kind); found {
			return kind, name
		}
	}
	return "", what
}

// Write implements change.Writer.
func (w Writer) Write(ctx context.Context, rows []change.Row) error {
	for _, r := range rows {
		if err := w.write(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

func (w Writer) write(ctx context.Context, r change.Row) error {
	s, gone := w.sides[r.ID], change.IsNone(r.New)
	switch kind, name := split(r.What); kind {
	case pullRequestOf:
		p, known := w.proposals[key(s, Proposal{Branch: name})]
		if !known {
			return fmt.Errorf("the plan has no files for %s", r.What)
		}
		var next value
		if err := json.Unmarshal(r.New, &next); err != nil {
			return err
		}
		if next.Open {
			return s.open(ctx, p)
		}
		return s.withdraw(ctx, p)
	case secretOf:
		if gone {
			return s.github.RemoveSecret(ctx, s.slug(), name)
		}
		return s.github.SetSecret(ctx, s.slug(), name, w.secrets[name])
	case settings.VariableOf, settings.RulesetOf:
		return s.github.SetSetting(ctx, s.slug(), r.What, r.Old, r.New)
	}
	return w.properties.Write(ctx, []change.Row{r})
}
