package sourcesync

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/change"
	"github.com/metapipe/metapipe/pkg/pipeline/properties"
)

// FromFile is the plan of a file, such as the one that takes back an earlier run. It reads no source.
func (s *Sync) FromFile(ctx context.Context, file change.File) (Result, error) {
	result := Result{Report: Report{Version: 1, Sources: []SourceReport{}, Findings: []Finding{}}}
	f, unread, err := s.readFleet(ctx)
	if err != nil {
		return result, err
	}
	result.Report.Repositories, result.Report.Findings = len(f.repos), append(result.Report.Findings, unread...)
	present := map[int64]pipeline.Slug{}
	for _, r := range f.repos {
		present[r.ID] = r.Slug
	}
	var rows []change.Row
	var wrong []string
	for _, in := range file.Rows {
		if slug, archived := f.archived[in.Row().ID]; archived {
			result.Report.Findings = append(result.Report.Findings, Finding{Kind: Archived, Property: in.Row().What, Repository: slug.String(), RepositoryID: in.Row().ID,
				Message: "it is archived, so its value stays as it is"})
			continue
		}
		row, err := s.fileRow(ctx, f, present, in)
		if err != nil {
			wrong = append(wrong, err.Error())
		}
		rows = append(rows, row)
	}
	if len(wrong) > 0 {
		return result, pipeline.Usagef("the values of the file cannot be set, and none is:\n  %s", strings.Join(wrong, "\n  ")).Nextf("correct the file")
	}
	result.Plan = change.NewPlan(properties.KindValues, len(f.repos), rows)
	return result, nil
}

func (s *Sync) fileRow(ctx context.Context, f *fleet, present map[int64]pipeline.Slug, in change.FileRow) (change.Row, error) {
	row := in.Row()
	slug, known := present[row.ID]
	if !known {
		return row, fmt.Errorf("%s (id %d) is no repository that can be written to", row.Name, row.ID)
	}
	row.Name, row.Customers = slug.String(), f.customers[row.ID]
	d, err := f.definition(ctx, s.GitHub, slug, row.What)
	if err != nil {
		return row, err
	}
	row.What = d.Name
	for _, v := range []*json.RawMessage{&row.Old, &row.New} {
		value, err := properties.ParseValue(*v)
		if err == nil && v == &row.New {
			err = d.Check(value)
		}
		if err != nil {
			return row, fmt.Errorf("%s: %w", row, err)
		}
		*v = properties.Canonical(value)
	}
	return row, nil
}
