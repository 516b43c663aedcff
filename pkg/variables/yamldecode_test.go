package variables_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/variables"
)

// TestTerraformReadsWhatWasChecked gives the written text to the real yamldecode
// and compares every value with the JSON that was validated.
func TestTerraformReadsWhatWasChecked(t *testing.T) {
	t.Parallel()
	tool := ""
	for _, name := range []string{"terraform", "tofu"} {
		if path, err := exec.LookPath(name); err == nil {
			tool = path
			break
		}
	}
	if tool == "" {
		t.Skip("neither terraform nor tofu is in PATH")
	}
	doc, problems := variables.Parse("v.yml", read(t, "testdata/good/scalars.yml"), pipeline.Limits{}, nil)
	if doc == nil {
		t.Fatal(problems)
	}
	effective, err := doc.Effective("staging")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "v.yml"), effective.Source, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(tool, "console", "-no-color")
	cmd.Dir = dir
	cmd.Env = []string{"HOME=" + dir, "CHECKPOINT_DISABLE=1"}
	cmd.Stdin = strings.NewReader(`jsonencode(yamldecode(file("v.yml")))` + "\n")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var text string // the console quotes as HCL does, which is JSON but for ${ and %{
	if err := json.Unmarshal(bytes.TrimSpace(out), &text); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if diff := cmp.Diff(decode(t, effective.Whole), decode(t, []byte(text))); diff != "" {
		t.Errorf("checked (-) and seen by %s (+):\n%s", filepath.Base(tool), diff)
	}
}

func decode(t *testing.T, raw []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v\n%s", err, raw)
	}
	return v
}
