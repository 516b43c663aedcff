package process

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
)

// Versions remembers what programs said about their versions.
type Versions struct {
	Dir string // for its records; empty: nothing is remembered
	// Known reports whether a text is a version; a record of anything else does not count.
	Known func(version string) bool
	// Ask starts the program at path for its version.
	Ask func(ctx context.Context, path string) (string, error)
}

// versionRecord is what one binary said about its version. It holds as long as
// path, size and time of the binary are the same.
type versionRecord struct {
	Path    string `json:"path"`
	Size    int64  `json:"size"`
	ModTime int64  `json:"mod_time"` // nanoseconds since 1970
	Version string `json:"version"`
}

// Of returns the version of the binary at path. It starts a process only when the binary
// has not been asked before.
func (v Versions) Of(ctx context.Context, path string) (string, error) {
	actual, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(actual)
	if err != nil {
		return "", err
	}
	stored := versionRecord{Path: actual, Size: info.Size(), ModTime: info.ModTime().UnixNano()}
	// A script (tfenv, asdf) may run another binary tomorrow: it is asked each time.
	cachable := v.Dir != "" && !isScript(actual)
	if cachable {
		if known := v.recordedVersion(stored); known != "" {
			return known, nil
		}
	}
	if stored.Version, err = v.Ask(ctx, path); err != nil {
		return "", err
	}
	if cachable {
		// Without the record the next run asks again, which costs it 50 ms.
		_ = v.recordVersion(stored)
	}
	return stored.Version, nil
}

func (v Versions) recordFile(path string) string {
	sum := sha256.Sum256([]byte(path))
	return filepath.Join(v.Dir, "versions", hex.EncodeToString(sum[:16])+".json")
}

// recordedVersion returns "" for anything but an intact record of this binary.
func (v Versions) recordedVersion(want versionRecord) string {
	file, err := os.Open(v.recordFile(want.Path))
	if err != nil {
		return ""
	}
	defer file.Close()
	decoder := json.NewDecoder(io.LimitReader(file, 16<<10))
	decoder.DisallowUnknownFields()
	var got versionRecord
	if err := decoder.Decode(&got); err != nil || !v.Known(got.Version) {
		return ""
	}
	want.Version = got.Version
	if got != want {
		return ""
	}
	return got.Version
}

func (v Versions) recordVersion(stored versionRecord) error {
	b, err := json.Marshal(stored)
	if err != nil {
		return err
	}
	return replaceFile(v.recordFile(stored.Path), b, 0o600)
}

// replaceFile writes a file so that readers see the old or the new one, whole.
func replaceFile(path string, content []byte, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name()) // gone after the rename
	_, err = file.Write(content)
	if e := file.Chmod(mode); err == nil {
		err = e
	}
	if e := file.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}

func isScript(path string) bool {
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer file.Close()
	var head [2]byte
	_, err = io.ReadFull(file, head[:])
	return err == nil && string(head[:]) == "#!"
}
