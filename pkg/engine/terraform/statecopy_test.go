package terraform

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// TestSameState: the lineage and the serial of a copy may be others, and nothing else.
func TestSameState(t *testing.T) {
	t.Parallel()
	const state = `{"version":4,"terraform_version":"1.11.4","serial":1,"lineage":"a","outputs":{},"resources":[{"name":"one","instances":[{"attributes":{"id":9007199254740993}}]}]}`
	for other, want := range map[string]bool{
		state: true,
		`{"lineage":"b","serial":7,"version":4,"terraform_version":"1.12.0","outputs":{},"resources":[{"name":"one","instances":[{"attributes":{"id":9007199254740993}}]}]}`:      true,
		`{"version":4,"terraform_version":"1.11.4","serial":1,"lineage":"a","outputs":{},"resources":[{"name":"one","instances":[{"attributes":{"id":9007199254740992}}]}]}`:      false,
		`{"version":4,"terraform_version":"1.11.4","serial":1,"lineage":"a","outputs":{"x":1},"resources":[{"name":"one","instances":[{"attributes":{"id":9007199254740993}}]}]}`: false,
		`{"version":4,"terraform_version":"1.11.4","serial":1,"lineage":"a","outputs":{},"resources":[]}`:                                                                         false,
		"": false, "1": false, "null": false, "{": false, "{}": false,
	} {
		dir := t.TempDir()
		a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
		for file, text := range map[string]string{a: state, b: other} {
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for _, files := range [][2]string{{a, b}, {b, a}} {
			if got, err := new(Engine).SameState(pipeline.Job{}, files[0], files[1]); err != nil || got != want {
				t.Errorf("%s: %v, %v, want %v", other, got, err, want)
			}
		}
	}
	if _, err := new(Engine).SameState(pipeline.Job{}, "/no/such/state", "/no/such/state"); err == nil {
		t.Error("a file that is not there is no error")
	}
}
