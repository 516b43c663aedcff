package pipeline_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// TestReceiptRefusals: what a receipt says and this version does not know is refused.
func TestReceiptRefusals(t *testing.T) {
	t.Parallel()
	digest := pipeline.SHA256Hex(nil)
	whole := fmt.Sprintf(`{"version":2,"exactness":"exact","artifacts":{"plan":%q},"evidence":{"tool":"tofu","state_serial":"7"},"policy":{"bundle":%q,"data":%q},"verdict":"pass",`+
		`"findings":[{"check":"policy","rule":"r","severity":"deny","message":"m"}],"cost":{"currency":"EUR","before":"1","after":"2.50"}}`, digest, digest, digest)
	if _, err := pipeline.ParseReceipt([]byte(whole)); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"unknown field":           {`"version":2,`, `"version":2,"approved":true,`},
		"unknown field of a part": {`"rule":"r",`, `"rule":"r","waived":true,`},
		"other version":           {`"version":2`, `"version":1`},
		"no exactness":            {`"exactness":"exact",`, ``},
		"unknown exactness":       {`"exact",`, `"exactly",`},
		"artifact outside":        {`"plan":`, `"../plan":`},
		"artifact in capitals":    {`"plan":`, `"Plan":`},
		"artifact without digest": {digest, ``},
		"serial with a sign":      {`"7"`, `"-7"`},
		"serial with zeros":       {`"7"`, `"07"`},
		"serial that is large":    {`"7"`, `"18446744073709551616"`},
		"evidence that is deep":   {`"tofu"`, `{"name":"tofu"}`},
		"evidence twice":          {`"tool":"tofu"`, `"tool":"tofu","tool":"terraform"`},
		"evidence with a space":   {`"tool":`, `"to ol":`},
		"evidence that is long":   {`"tofu"`, `"` + strings.Repeat("x", 5000) + `"`},
		"unknown verdict":         {`"verdict":"pass"`, `"verdict":"fine"`},
		"unknown severity":        {`"severity":"deny"`, `"severity":"pass"`},
		"policy without digest":   {`"bundle":"`, `"bundle":"x`},
		"cost in words":           {`"2.50"`, `"a lot"`},
		"something behind":        {`}}`, `}}{}`},
	} {
		changed := strings.Replace(whole, change[0], change[1], 1)
		if changed == whole {
			t.Errorf("%s: nothing was changed", name)
		}
		if r, err := pipeline.ParseReceipt([]byte(changed)); err == nil {
			t.Errorf("%s was accepted: %+v", name, r)
		}
	}
}

func TestEvidenceNames(t *testing.T) {
	t.Parallel()
	evidence := pipeline.NewPlanEvidence(pipeline.ToolVersion{Name: "tofu", Version: "1.9.0"})
	evidence.SetManager("tree", "code")
	evidence.SetState(pipeline.StateVersion{Lineage: "l", Serial: 1<<64 - 1})
	evidence["lock_file"] = ""
	b, err := json.Marshal(evidence)
	if err != nil {
		t.Fatal(err)
	}
	var read pipeline.PlanEvidence
	if err := json.Unmarshal(b, &read); err != nil || !maps.Equal(read, evidence) {
		t.Fatalf("%v came back as %v: %v", evidence, read, err)
	}
	if read.Tool().String() != "tofu 1.9.0" || read.ManagerTree() != "tree" || read.ManagerCode() != "code" || read.State() != (pipeline.StateVersion{Lineage: "l", Serial: 1<<64 - 1}) {
		t.Errorf("read %v", read)
	}
	if err := read.CheckNames("lock_file"); err != nil {
		t.Error(err)
	}
	for name, own := range map[string][]string{"a name too many": nil, "a name that is not there": {"lock_file", "modules"}} {
		var refused *pipeline.RefusedError
		if err := read.CheckNames(own...); !errors.As(err, &refused) || refused.Reason != pipeline.ReasonTampered {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestStoredArtifacts: an apply gets the artifacts of its receipt, each and no other.
func TestStoredArtifacts(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(t *testing.T, a pipeline.Artifacts){
		"nothing": nil,
		"changed": func(t *testing.T, a pipeline.Artifacts) { writeFile(t, a["plan"], "PLAN") },
		"missing": func(_ *testing.T, a pipeline.Artifacts) { delete(a, "plan") },
		"added":   func(_ *testing.T, a pipeline.Artifacts) { a["more"] = a["plan"] },
		"renamed": func(_ *testing.T, a pipeline.Artifacts) { a["pain"] = a["plan"]; delete(a, "plan") },
	} {
		file := filepath.Join(t.TempDir(), "plan")
		writeFile(t, file, "plan")
		stored := pipeline.StoredPlan{Artifacts: pipeline.Artifacts{"plan": file}}
		digests, err := stored.Artifacts.Digests(stored.Salt)
		if err != nil {
			t.Fatal(err)
		}
		stored.Receipt.Artifacts = digests
		if change == nil {
			if err := stored.Verify(); err != nil {
				t.Error(err)
			}
			continue
		}
		change(t, stored.Artifacts)
		var refused *pipeline.RefusedError
		if err := stored.Verify(); !errors.As(err, &refused) || refused.Reason != pipeline.ReasonTampered {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"", "Plan", "a/b", "..", "a.b", "1a", "a_b", strings.Repeat("a", 41)} {
		if _, err := (pipeline.Artifacts{name: "/dev/null"}).Digests(""); err == nil {
			t.Errorf("an artifact may be called %q", name)
		}
	}
}

// TestSaltedSums: who reads a receipt cannot try out what a plan was made from.
func TestSaltedSums(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "plan")
	writeFile(t, file, "yes")
	one, other := pipeline.NewSalt(), pipeline.NewSalt()
	artifacts := pipeline.Artifacts{"plan": file}
	digests, err := artifacts.Digests(one)
	if err != nil || digests["plan"] != one.Sum([]byte("yes")) {
		t.Fatalf("%v %v", digests, err)
	}
	for _, guess := range []string{pipeline.SHA256Hex([]byte("yes")), other.Sum([]byte("yes")), pipeline.Salt("").Sum([]byte("yes"))} {
		if digests["plan"] == guess {
			t.Errorf("the sum is the one that everyone can compute: %s", guess)
		}
	}
	if !one.IsWhole() || one == other || pipeline.Salt("short").IsWhole() {
		t.Errorf("%q %q", one, other)
	}
	stored := pipeline.StoredPlan{Artifacts: artifacts, Salt: other, Receipt: pipeline.Receipt{Artifacts: digests}}
	if err := stored.Verify(); err == nil {
		t.Error("a plan with another salt is taken for the one of the receipt")
	}
}

func writeFile(t *testing.T, file, content string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestExactnessMeets(t *testing.T) {
	t.Parallel()
	levels := append(pipeline.ExactnessLevels(), "", "other")
	for i, e := range levels {
		for j, demanded := range levels {
			want := demanded == "" || i < 3 && j < 3 && i >= j
			if got := e.Meets(demanded); got != want {
				t.Errorf("%q meets %q: %t", e, demanded, got)
			}
		}
	}
	for _, e := range levels {
		if (e.Sentence() == "") != (e == pipeline.ExactnessExact) {
			t.Errorf("%q says %q", e, e.Sentence())
		}
	}
}
