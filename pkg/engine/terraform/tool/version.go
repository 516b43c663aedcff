package tool

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/terraform-exec/tfexec"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/text"
)

// versionPattern is the form of a released or a pre-release version.
var versionPattern = text.Pattern(`^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`)

// versionRecord is what one binary said about its version. It holds as long as
// path, size and time of the binary are the same.
type versionRecord struct {
	Path    string `json:"path"`
	Size    int64  `json:"size"`
	ModTime int64  `json:"mod_time"` // nanoseconds since 1970
	Version string `json:"version"`
}

// Version returns the version of the binary at path. It starts a process only
// when the binary has not been asked before.
func (f Finder) Version(ctx context.Context, path string) (string, error) {
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
	cachable := f.CacheDir != "" && !isScript(actual)
	if cachable {
		if v := f.recordedVersion(stored); v != "" {
			return v, nil
		}
	}
	if stored.Version, err = f.askVersion(ctx, path); err != nil {
		return "", err
	}
	if cachable {
		// Without the record the next run asks again, which costs it 50 ms.
		_ = f.recordVersion(stored)
	}
	return stored.Version, nil
}

func (f Finder) askVersion(ctx context.Context, path string) (string, error) {
	tool, err := tfexec.NewTerraform(filepath.Dir(path), path)
	if err != nil {
		return "", err
	}
	allowed, err := f.Environ.Allowed(pipeline.ToolRule{}) // terraform-exec refuses to set TF_*
	if err != nil {
		return "", err
	}
	env := map[string]string{}
	for _, pair := range allowed {
		name, value, _ := strings.Cut(pair, "=")
		env[name] = value
	}
	if err := tool.SetEnv(env); err != nil {
		return "", err
	}
	v, _, err := tool.Version(ctx, true)
	if err != nil {
		return "", err
	}
	if s := v.Core().String(); v.Metadata() != "" || len(v.String()) > 80 || !versionPattern().MatchString(v.String()) {
		return "", fmt.Errorf("version %q of a build of %s is not a release", v, s)
	}
	return v.String(), nil
}

func (f Finder) recordFile(path string) string {
	sum := sha256.Sum256([]byte(path))
	return filepath.Join(f.CacheDir, "versions", hex.EncodeToString(sum[:16])+".json")
}

// recordedVersion returns "" for anything but an intact record of this binary.
func (f Finder) recordedVersion(want versionRecord) string {
	file, err := os.Open(f.recordFile(want.Path))
	if err != nil {
		return ""
	}
	defer file.Close()
	decoder := json.NewDecoder(io.LimitReader(file, 16<<10))
	decoder.DisallowUnknownFields()
	var got versionRecord
	if err := decoder.Decode(&got); err != nil || len(got.Version) > 80 || !versionPattern().MatchString(got.Version) {
		return ""
	}
	want.Version = got.Version
	if got != want {
		return ""
	}
	return got.Version
}

func (f Finder) recordVersion(stored versionRecord) error {
	b, err := json.Marshal(stored)
	if err != nil {
		return err
	}
	return replaceFile(f.recordFile(stored.Path), b, 0o600)
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
