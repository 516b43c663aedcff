package statefile

import (
	"archive/zip"
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// BeforeRefresh counts the resources of the state as it was read: the other one in
// the archive lacks what was deleted outside.
func BeforeRefresh(archive *zip.ReadCloser, state *pipeline.StateRecord) error {
	file, err := archive.Open("tfstate-prev")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the saved plan: %w", err)
	}
	defer file.Close()
	before, err := ReadRecord(file)
	if err != nil {
		return fmt.Errorf("read the state before the refresh in the saved plan: %w", err)
	}
	state.Resources = before.Resources
	return nil
}

// Version reads lineage and serial of a local state file. One that is missing
// or empty (the tool makes such a file to lock it) is the zero version.
func Version(path string) (pipeline.StateVersion, error) {
	state, err := Record(path)
	return state.StateVersion, err
}

// Record is Version with the number of resources.
func Record(path string) (pipeline.StateRecord, error) {
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return pipeline.StateRecord{}, nil
	}
	if err != nil {
		return pipeline.StateRecord{}, fmt.Errorf("read the state: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err == nil && info.Size() == 0 {
		return pipeline.StateRecord{}, nil
	}
	state, err := ReadRecord(file)
	if err != nil {
		return pipeline.StateRecord{}, fmt.Errorf("read the state %s: %w", path, err)
	}
	return state, nil
}

// Read reads lineage, serial and number of resources of a state and nothing else
// of it. An empty one is the zero version; what is no state is ErrDamaged.
func Read(r io.Reader) (pipeline.StateRecord, error) {
	buffered := bufio.NewReader(r)
	if _, err := buffered.Peek(1); errors.Is(err, io.EOF) {
		return pipeline.StateRecord{}, nil
	}
	return ReadRecord(buffered)
}
