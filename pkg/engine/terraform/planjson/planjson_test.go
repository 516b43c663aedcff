package planjson

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

var update = flag.Bool("update", false, "write the golden files anew")

func planFiles(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/plans/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no plans: %v", err)
	}
	return files
}

// TestReadPlan compares each testdata/plans/NAME.json with NAME.golden.
func TestReadPlan(t *testing.T) {
	t.Parallel()
	for _, file := range planFiles(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			doc, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			plan, fingerprint, err := ReadPlan(bytes.NewReader(doc), ReadOptions{Tool: pipeline.ToolVersion{Name: "terraform"}, MAC: terraformtest.NewMAC})
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			encoder := json.NewEncoder(&got)
			encoder.SetEscapeHTML(false)
			encoder.SetIndent("", "  ")
			if err := encoder.Encode(struct {
				Fingerprint string
				Plan        pipeline.Plan
			}{fingerprint, plan}); err != nil {
				t.Fatal(err)
			}
			golden := strings.TrimSuffix(file, ".json") + ".golden"
			if *update {
				if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestNoSecretInPlan looks for the secrets of the handwritten plan anywhere in
// what may be shown.
func TestNoSecretInPlan(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("testdata/plans/shapes.json")
	if err != nil {
		t.Fatal(err)
	}
	plan, _, err := ReadPlan(bytes.NewReader(doc), ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{
		"tok-en-4711", "in-a-list-99", "old-pass-word", "new-pass-word", "secret-a-1", "secret-a-2",
		"kept-secret", "deep-secret-1", "123456\"", "output-secret-5", "from-the-state-8", "b2xkLXBhc3Mtd29y",
	} {
		if bytes.Contains(b, []byte(secret)) {
			t.Errorf("the plan shows %q", secret)
		}
	}
}

func TestReadPlanRefuses(t *testing.T) {
	t.Parallel()
	for name, doc := range map[string]string{
		"empty":             ``,
		"no object":         `[]`,
		"no version":        `{"complete": true}`,
		"next version":      `{"format_version": "2.0"}`,
		"almost a version":  `{"format_version": "12"}`,
		"cut":               `{"format_version": "1.2", "resource_changes": [{"address": "a"`,
		"empty action":      `{"format_version": "1.2", "resource_changes": [{"address": "a", "change": {"actions": ["create", ""]}}]}`,
		"no action":         `{"format_version": "1.2", "resource_changes": [{"address": "a"}]}`,
		"wrong types":       `{"format_version": "1.2", "resource_changes": {"a": 1}}`,
		"deep modules":      `{"format_version": "1.2", "planned_values": {"root_module": ` + strings.Repeat(`{"child_modules": [`, 2000) + `]}`,
		"deep values":       `{"format_version": "1.2", "output_changes": {"a": {"actions": ["create"], "after": ` + strings.Repeat("[", 20000) + `}}}`,
		"trailing in array": `{"format_version": "1.2", "checks": [1,]}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if plan, _, err := ReadPlan(strings.NewReader(doc), ReadOptions{MAC: terraformtest.NewMAC}); err == nil {
				t.Errorf("read as %+v", plan)
			}
		})
	}
}

// TestFingerprint makes sure that it depends on what would be done alone.
func TestFingerprint(t *testing.T) {
	t.Parallel()
	one := `{"address": "a.b", "change": {"actions": ["update"], "before": {"x": 1, "y": "s"}, "after": {"x": %s, "y": "s"}, "after_unknown": {"z": true, "n": %s}, "replace_paths": %s}}`
	two := `{"address": "a.c", "change": {"actions": ["create"], "before": null, "after": {"k": "v"}}}`
	noise := `{"address": "a.d", "change": {"actions": ["no-op"], "before": {"q": 1}, "after": {"q": 1}}}, {"address": "data.e", "mode": "data", "change": {"actions": ["read"], "after": {"t": "%s"}}}`
	doc := func(timestamp string, changes ...string) string {
		return fmt.Sprintf(`{"format_version": "1.2", "timestamp": %q, "resource_changes": [%s]}`, timestamp, strings.Join(changes, ","))
	}
	fingerprint := func(doc string) string {
		_, fingerprint, err := ReadPlan(strings.NewReader(doc), ReadOptions{MAC: terraformtest.NewMAC})
		if err != nil {
			t.Fatal(err)
		}
		return fingerprint
	}
	base := fingerprint(doc("now", fmt.Sprintf(one, "2", "false", `[["x"],["y"]]`), two))
	for name, same := range map[string]string{
		"order":   doc("now", two, fmt.Sprintf(one, "2", "false", `[["x"],["y"]]`)),
		"noise":   doc("later", fmt.Sprintf(noise, "1"), fmt.Sprintf(one, "2", "false", `[["x"],["y"]]`), two),
		"numbers": doc("now", fmt.Sprintf(one, "2.0e0", "{}", `[["y"],["x"],["x"]]`), two),
		"keys":    doc("now", strings.Replace(fmt.Sprintf(one, "2", "false", `[["x"],["y"]]`), `{"x": 1, "y": "s"}`, `{"y": "\u0073", "x": 1}`, 1), two),
	} {
		if fingerprint(same) != base {
			t.Errorf("%s changes it", name)
		}
	}
	for name, other := range map[string]string{
		"value":   doc("now", fmt.Sprintf(one, "3", "false", `[["x"],["y"]]`), two),
		"unknown": doc("now", fmt.Sprintf(one, "2", "true", `[["x"],["y"]]`), two),
		"replace": doc("now", fmt.Sprintf(one, "2", "false", `[["x"]]`), two),
		"less":    doc("now", fmt.Sprintf(one, "2", "false", `[["x"],["y"]]`)),
		"action":  doc("now", fmt.Sprintf(one, "2", "false", `[["x"],["y"]]`), strings.Replace(two, "create", "forget", 1)),
		"address": doc("now", fmt.Sprintf(one, "2", "false", `[["x"],["y"]]`), strings.Replace(two, "a.c", "a.e", 1)),
	} {
		if fingerprint(other) == base {
			t.Errorf("%s does not change it", name)
		}
	}
	_, keyless, err := ReadPlan(strings.NewReader(doc("now", two)), ReadOptions{})
	if err != nil || keyless != "" {
		t.Errorf("without a key: %q %v", keyless, err)
	}
}

func FuzzReadPlan(f *testing.F) {
	for _, file := range planFiles(f) {
		doc, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(doc)
	}
	f.Add([]byte(`{"format_version":"1.0","resource_changes":[{"change":{"actions":["update"],"before":[1e999999999],"after":{"a":[{}]},"after_unknown":[[true]],"before_sensitive":{"a":true},"replace_paths":[[null,{}]]}}]}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		plan, fingerprint, err := ReadPlan(bytes.NewReader(doc), ReadOptions{MAC: terraformtest.NewMAC})
		if err != nil {
			return
		}
		if len(fingerprint) != 64 {
			t.Errorf("fingerprint %q", fingerprint)
		}
		for _, c := range plan.Changes {
			for _, a := range c.Attributes {
				for _, v := range []pipeline.Value{a.Before, a.After} {
					if (v.Sensitive || v.Unknown) && v.Text != "" || v.Text != "" && !json.Valid([]byte(v.Text)) {
						t.Errorf("%s %s: %+v", c.Address, a.Path, v)
					}
				}
			}
		}
	})
}
