package variables

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/text"
)

// ReadFile reads file, a slash-separated path below the directory dir, and
// never more than one byte above the limit. Directories, symbolic links and
// devices are refused, also links on the way that lead out of dir. A missing
// file is a problem with RuleMissingFile, and its remedy is a small file that the schema
// accepts (nil where there is none), for the first of the allowed environments.
func ReadFile(dir, file string, limits pipeline.Limits, schema *Schema, allowed []pipeline.Environment) ([]byte, pipeline.Problems) {
	raw, err := readRegular(dir, filepath.FromSlash(file), byteLimit(limits))
	if err == nil {
		return raw, nil
	}
	p := pipeline.Problem{Position: pipeline.Position{File: file}}
	var irregular *irregularError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		p.Rule, p.Message = RuleMissingFile, "there is no such file"
		p.Remedy = "create " + file + " with at least: " + sample(schema, sampleName(allowed))
		if other := strings.TrimSuffix(file, ".yml") + ".yaml"; other != file+".yaml" && isPlain(dir, other) {
			p.Remedy = "rename " + other + " to " + file
		}
	case errors.As(err, &irregular):
		p.Rule, p.Message = RuleNotFile, irregular.Error()
		p.Remedy = "make it a plain file"
	default:
		p.Rule, p.Message = RuleUnreadable, fmt.Sprintf("the file cannot be read: %v", text.FileError(err))
		p.Remedy = "check its permissions, and that no link leads out of the repository"
	}
	return nil, pipeline.Problems{p}
}

// isPlain reports whether a plain file of that name is there.
func isPlain(dir, file string) bool {
	info, err := os.Lstat(filepath.Join(dir, filepath.FromSlash(file)))
	return err == nil && info.Mode().IsRegular()
}

// LoadFile is ReadFile and Parse; it also returns the bytes, for their BlobSHA.
func LoadFile(dir, file string, limits pipeline.Limits, schema *Schema) (*Document, []byte, pipeline.Problems) {
	raw, problems := ReadFile(dir, file, limits, schema, nil)
	if problems != nil {
		return nil, nil, problems
	}
	d, problems := Parse(file, raw, limits, schema)
	return d, raw, problems
}

type irregularError struct{ what string }

func (e *irregularError) Error() string { return "the path names " + e.what + ", not a file" }

func readRegular(dir, name string, limit int) (raw []byte, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open directory %s: %w", dir, text.FileError(err))
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	info, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if what := irregular(info.Mode()); what != "" {
		return nil, &irregularError{what}
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return io.ReadAll(io.LimitReader(f, int64(limit)+1))
}

func irregular(mode fs.FileMode) string {
	switch {
	case mode.IsRegular():
		return ""
	case mode.IsDir():
		return "a directory"
	case mode&fs.ModeSymlink != 0:
		return "a symbolic link"
	}
	return "a device or pipe"
}
