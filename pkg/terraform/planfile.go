package terraform

import (
	"archive/zip"
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// planState reads from a saved plan which version of the state it was made on.
// A plan file is a zip archive whose entry "tfstate" is that state. An encrypted
// one (OpenTofu) is no archive: then the state itself is asked.
// https://pkg.go.dev/github.com/hashicorp/terraform/internal/plans/planfile
func (w *workspace) planState(ctx context.Context, planFile string) (pipeline.StateVersion, error) {
	archive, err := zip.OpenReader(planFile)
	if errors.Is(err, zip.ErrFormat) {
		return w.currentState(ctx)
	}
	if err != nil {
		return pipeline.StateVersion{}, fmt.Errorf("read the saved plan: %w", err)
	}
	defer archive.Close()
	file, err := archive.Open("tfstate")
	if err != nil {
		return pipeline.StateVersion{}, fmt.Errorf("read the saved plan: %w", err)
	}
	defer file.Close()
	state, err := readState(file)
	if err != nil {
		return pipeline.StateVersion{}, fmt.Errorf("read the state in the saved plan: %w", err)
	}
	return state, nil
}

// fileState reads lineage and serial of a local state file. One that is missing
// or empty (the tool makes such a file to lock it) is the zero version.
func fileState(path string) (pipeline.StateVersion, error) {
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return pipeline.StateVersion{}, nil
	}
	if err != nil {
		return pipeline.StateVersion{}, fmt.Errorf("read the state: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err == nil && info.Size() == 0 {
		return pipeline.StateVersion{}, nil
	}
	state, err := readState(file)
	if err != nil {
		return pipeline.StateVersion{}, fmt.Errorf("read the state %s: %w", path, err)
	}
	return state, nil
}

// readState streams a state and keeps its version only.
func readState(r io.Reader) (pipeline.StateVersion, error) {
	j := newJSONReader(r)
	var state pipeline.StateVersion
	err := j.object(func(key string) error {
		switch key {
		case "lineage":
			return j.decode(&state.Lineage)
		case "serial":
			var serial json.Number
			if err := j.decode(&serial); err != nil {
				return err
			}
			return json.Unmarshal([]byte(serial), &state.Serial)
		}
		return j.skip()
	})
	return state, err
}

// fileSHA256 is the digest of a file in hexadecimal digits.
func fileSHA256(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// ReadStateVersion reads lineage and serial of a state and nothing else of it. An
// empty one is the zero version.
func ReadStateVersion(r io.Reader) (pipeline.StateVersion, error) {
	buffered := bufio.NewReader(r)
	if _, err := buffered.Peek(1); errors.Is(err, io.EOF) {
		return pipeline.StateVersion{}, nil
	}
	return readState(buffered)
}
