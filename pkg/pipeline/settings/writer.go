package settings

import (
	"context"
	"slices"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/change"
)

// Writer writes settings one by one, in their order.
type Writer struct{ GitHub GitHub }

// Batches implements change.Writer.
func (w Writer) Batches(rows []change.Row) [][]change.Row {
	return slices.Collect(slices.Chunk(rows, 1))
}

// Read implements change.Writer.
func (w Writer) Read(ctx context.Context, rows []change.Row) []change.Seen {
	seen := make([]change.Seen, len(rows))
	for i, r := range rows {
		slug, err := pipeline.ParseSlug(r.Name)
		if err != nil {
			seen[i].Err = err
			continue
		}
		repository, err := w.GitHub.Repository(ctx, slug)
		switch {
		case pipeline.NotVisible(err):
			seen[i].Gone = true
			continue
		case err != nil:
			seen[i].Err = err
			continue
		}
		seen[i].Place = change.Place{ID: repository.ID, Name: repository.Slug.String()}
		if seen[i].Value, err = w.GitHub.Setting(ctx, repository.Slug, r.What); err != nil {
			seen[i] = change.Seen{Err: err}
		}
	}
	return seen
}

// Write implements change.Writer.
func (w Writer) Write(ctx context.Context, rows []change.Row) error {
	for _, r := range rows {
		slug, err := pipeline.ParseSlug(r.Name)
		if err != nil {
			return err
		}
		if err := w.GitHub.SetSetting(ctx, slug, r.What, r.Old, r.New); err != nil {
			return err
		}
	}
	return nil
}
