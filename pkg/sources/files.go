package sources

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"unicode/utf8"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/sourcesync"
	"github.com/metapipe/metapipe/pkg/text"
)

// maxFile is the size of the largest file that is read.
const maxFile = 64 << 20

// readFile reads a file below the manager directory, without the mark at its beginning that some programs write.
func readFile(dir, name string, most int64) (raw []byte, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errRead, text.FileError(err))
	}
	defer root.Close()
	f, err := root.Open(name)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errRead, text.FileError(err))
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: it is no plain file", errRead)
	}
	raw, err = io.ReadAll(io.LimitReader(f, most+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", errRead, text.FileError(err))
	case int64(len(raw)) > most:
		return nil, fmt.Errorf("it has more than %d MiB", most>>20)
	}
	return bytes.TrimPrefix(raw, []byte("\ufeff")), nil
}

func readCSV(c sourcesync.SourceConfig, dir string) ([]sourcesync.Record, error) {
	raw, err := readFile(dir, c.Path, maxFile)
	if err != nil {
		return nil, err
	}
	return parseCSV(c, raw)
}

// parseCSV reads a table whose first line names the columns.
func parseCSV(c sourcesync.SourceConfig, raw []byte) ([]sourcesync.Record, error) {
	if !utf8.Valid(raw) {
		return nil, errors.New("it is not UTF-8")
	}
	r := csv.NewReader(bytes.NewReader(raw)) // each line has to have as many fields as the first
	header, err := r.Read()
	if errors.Is(err, io.EOF) {
		return nil, sourcesync.ErrNoRows
	}
	if err != nil {
		return nil, err
	}
	for i, name := range header {
		if slices.Contains(header[:i], name) {
			return nil, fmt.Errorf("it has the column %s twice", pipeline.Quote(name))
		}
	}
	names := fieldNames(c)
	column := make([]int, len(names))
	for i, name := range names {
		if column[i] = slices.Index(header, name); column[i] < 0 {
			return nil, fmt.Errorf("it has no column %s", pipeline.Quote(name))
		}
	}
	var all []sourcesync.Record
	for {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err // it says the line, and quotes nothing
		}
		if len(all) == sourcesync.MaxRows {
			return nil, errTooMany
		}
		line, _ := r.FieldPos(0)
		one := sourcesync.Record{Where: fmt.Sprintf("line %d", line), Key: fields[column[0]], Fields: map[string]sourcesync.Value{}}
		for i, name := range names {
			one.Fields[name] = sourcesync.Value{Text: fields[column[i]]}
		}
		all = append(all, one)
	}
}

func readJSON(c sourcesync.SourceConfig, dir string) ([]sourcesync.Record, error) {
	raw, err := readFile(dir, c.Path, maxFile)
	if err != nil {
		return nil, err
	}
	return parseJSON(c, raw, "")
}
