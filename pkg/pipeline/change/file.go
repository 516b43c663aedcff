package change

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// File is a plan as it lies on disk: the way back of a plan that was applied is such a file.
type File struct {
	Version int       `json:"version"` // 1
	Kind    string    `json:"kind"`
	Undoes  string    `json:"undoes,omitempty"` // the id of the plan that it takes back
	Rows    []FileRow `json:"rows"`
}

// FileRow is a row of a file.
type FileRow struct {
	Place  Place           `json:"place"`
	What   string          `json:"what"`
	Old    json.RawMessage `json:"old"` // what must be there; anything else is refused
	New    json.RawMessage `json:"new"`
	Reason string          `json:"reason,omitempty"`
}

// Bounds of a file.
const (
	MaxFile     = 32 << 20 // bytes
	maxFileRows = 20_000
)

// Undo is the file that takes the rows of a plan back, the last one first.
func Undo(p Plan, rows []Row) File {
	f := File{Version: 1, Kind: p.Kind, Undoes: p.ID, Rows: []FileRow{}}
	for i := len(rows) - 1; i >= 0; i-- {
		r := rows[i]
		f.Rows = append(f.Rows, FileRow{Place: r.Place, What: r.What, Old: r.New, New: r.Old, Reason: "undo"})
	}
	return f
}

// Encode is the file as it lies on disk.
func (f File) Encode() ([]byte, error) {
	b, err := json.MarshalIndent(f, "", "  ")
	return append(b, '\n'), err
}

// ParseFile reads a file of a kind. It accepts nothing that Encode does not write.
func ParseFile(b []byte, kind string) (File, error) {
	var f File
	if len(b) > MaxFile {
		return f, fmt.Errorf("the file has more than %d bytes", MaxFile)
	}
	if err := pipeline.DecodeKnown(b, &f); err != nil {
		return File{}, err
	}
	switch {
	case f.Version != 1:
		return File{}, fmt.Errorf("version is %d, and not 1", f.Version)
	case f.Kind != kind:
		return File{}, fmt.Errorf("it is a file for %s, and not for %s", pipeline.Quote(f.Kind), kind)
	case f.Undoes != "" && !pipeline.IsUUID(f.Undoes):
		return File{}, errors.New("undoes is not the id of a plan")
	case len(f.Rows) == 0:
		return File{}, errors.New("it has no rows")
	case len(f.Rows) > maxFileRows:
		return File{}, fmt.Errorf("it has %d rows; at most %d are possible", len(f.Rows), maxFileRows)
	}
	seen := map[string]bool{}
	for i := range f.Rows {
		r := &f.Rows[i]
		if err := r.check(); err != nil {
			return File{}, fmt.Errorf("rows[%d]: %w", i, err)
		}
		key := r.Row().key()
		if seen[key] {
			return File{}, fmt.Errorf("rows[%d]: %s of %s is there twice", i, r.What, r.Place.Name)
		}
		seen[key] = true
	}
	return f, nil
}

// check holds a row to its form, and brings its values into the canonical one.
func (r *FileRow) check() error {
	owner, name, isSlug := strings.Cut(r.Place.Name, "/")
	if isSlug {
		if _, err := pipeline.ParseSlug(r.Place.Name); err != nil {
			return err
		}
	} else if _, err := pipeline.ParseSlug(owner + "/x"); err != nil {
		return err
	}
	if isSlug != (r.Place.ID > 0) || r.Place.ID < 0 {
		return fmt.Errorf("place %s: a repository has an id, and an organization has none", pipeline.Quote(owner+"/"+name))
	}
	if r.What == "" || pipeline.PlainLine(r.What) != r.What || pipeline.PlainLine(r.Reason) != r.Reason {
		return errors.New("what and reason are short lines")
	}
	for _, v := range []*json.RawMessage{&r.Old, &r.New} {
		if len(*v) == 0 {
			return errors.New("old or new is missing; null is no value")
		}
		value, err := Canonical(*v)
		if err != nil {
			return err
		}
		*v = value
	}
	if bytes.Equal(r.Old, r.New) {
		return fmt.Errorf("%s of %s is the same before and after", r.What, r.Place.Name)
	}
	return nil
}

// Row is the row as a part of a plan.
func (r FileRow) Row() Row {
	return Row{Place: r.Place, What: r.What, Old: r.Old, New: r.New, Reason: r.Reason}
}
