package terraform

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
	"github.com/metapipe/metapipe/pkg/engine/terraform/tool"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// testedVersions are the versions that the tests run with: .ci/tools builds them.
var testedVersions = map[string]string{"terraform": "1.11.4", "tofu": "1.12.6"}

// TestNotesAreWrittenForTestedVersions holds noteVersions to what the tests run with,
// and to nothing beside that series.
func TestNotesAreWrittenForTestedVersions(t *testing.T) {
	t.Parallel()
	if len(noteVersions) != len(testedVersions) {
		t.Errorf("notes are written for %v, the tests run with %v", noteVersions, testedVersions)
	}
	for name, tested := range testedVersions {
		pins, err := os.ReadFile(filepath.Join("..", "..", "..", ".ci", "tools", name, "go.mod"))
		if err != nil {
			t.Fatal(err)
		}
		pin := regexp.MustCompile(`(?m)^\s*(?:github\.com/hashicorp/terraform|github\.com/opentofu/opentofu) v(\S+)`).FindSubmatch(pins)
		if pin == nil || string(pin[1]) != tested {
			t.Errorf("%s: .ci/tools pins %q, the test names %s: run the fleet's tests with it and change both lists", name, pin, tested)
		}
		part := strings.Split(tested, ".")
		var minor int
		if _, err := fmt.Sscan(part[1], &minor); err != nil {
			t.Fatal(err)
		}
		for version, want := range map[string]bool{
			tested: true, fmt.Sprintf("1.%d.0", minor): true, fmt.Sprintf("1.%d.0", minor-1): false, fmt.Sprintf("1.%d.0", minor+1): false,
			fmt.Sprintf("2.%d.0", minor): false, fmt.Sprintf("1.%d.0-rc1", minor): false, tested + "-dev": false, "": false, "x": false,
		} {
			if got := writesNotes(tool.Binary{Name: name, Version: version}); got != want {
				t.Errorf("%s %q: %v", name, version, got)
			}
		}
	}
	if writesNotes(tool.Binary{Name: "other", Version: "1.11.4"}) {
		t.Error("a note is written for another tool")
	}
}

// TestFleetWithoutNotes looks at the same targets with notes, with a version that notes
// are not written for, and with a tool whose note has an unknown key. Without notes each
// target is initialized by itself, and the results are the same.
func TestFleetWithoutNotes(t *testing.T) {
	t.Parallel()
	terraformtest.WithTools(t, func(t *testing.T, tool terraformtest.Tool) {
		w := newFleetWorld(t, tool, 2)
		terraformtest.WriteFile(t, filepath.Join(w.files, "c1.txt"), "somebody was here")
		found, err := w.engine.Locate(t.Context(), w.jobs[0].Customer.Manager.Tool)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("the test runs with %s %s", found.Name, found.Version)
		noted, inits := w.secondLook(t)
		want := len(w.jobs)
		if writesNotes(found) {
			want = 0
		}
		if inits != want {
			t.Errorf("%s %s: the second look initialized %d targets, want %d", found.Name, found.Version, inits, want)
		}
		if p := noted[1].Plan; noted[0].Plan.HasChanges() || len(p.Drift) != 1 || p.Drift[0].Address != "local_file.file" {
			t.Errorf("found %+v", noted)
		}
		for name, script := range map[string]string{
			"another version": `[ "$1" != show ] || exec "$tool" "$@"
out=$("$tool" "$@")
code=$?
echo "$out" | sed 's/` + strings.ReplaceAll(found.Version, ".", `\.`) + `/1.99.0/g'
exit $code`,
			"another shape": `[ "$1" = init ] || exec "$tool" "$@"
"$tool" "$@" || exit $?
note=$TF_DATA_DIR/terraform.tfstate
[ ! -f "$note" ] || { sed 's/^ *"backend": {/"unknown": {}, &/' "$note" > "$note.new" && mv "$note.new" "$note"; }`,
		} {
			w.useScript(t, tool, script)
			planned, inits := w.secondLook(t)
			if inits != len(w.jobs) {
				t.Errorf("%s: the second look initialized %d targets, want all %d", name, inits, len(w.jobs))
			}
			for i := range planned {
				planned[i].Evidence["tool_version"], planned[i].Plan.Tool = noted[i].Evidence["tool_version"], noted[i].Plan.Tool
			}
			if diff := cmp.Diff(asJSON(t, noted), asJSON(t, planned)); diff != "" {
				t.Errorf("%s: the results differ:\n%s", name, diff)
			}
		}
	})
}

func asJSON(t *testing.T, value any) string {
	t.Helper()
	b, err := json.MarshalIndent(value, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// useScript puts a shell script in the place of the tool, for a new fleet.
func (w *fleetWorld) useScript(t *testing.T, tool terraformtest.Tool, script string) {
	t.Helper()
	stand := filepath.Join(t.TempDir(), tool.Name)
	text := fmt.Sprintf("#!/bin/sh\ntool=%q\necho \"$1\" >> %q\n%s\n", tool.Path, w.log, script)
	if err := os.WriteFile(stand, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	w.engine.options.BinaryPath = stand
	w.fleet = w.engine.newFleet(t.TempDir())
}

// secondLook plans all targets twice, and counts the inits of the second time.
func (w *fleetWorld) secondLook(t *testing.T) ([]pipeline.Planned, int) {
	t.Helper()
	_, errs := w.plan(t, t.TempDir())
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	before := w.calls(t)["init"]
	planned, errs := w.plan(t, t.TempDir())
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	return planned, w.calls(t)["init"] - before
}

func TestTemplateNeedsTheExpectedShape(t *testing.T) {
	t.Parallel()
	backend := pipeline.Backend{Type: "s3", Config: map[string]string{"bucket": "states", "key": "one/a.tfstate", "use_lockfile": "true"}}
	other := map[string]string{"bucket": "states", "key": "two/b.tfstate", "use_lockfile": "true"}
	const good = `{"version": 3, "terraform_version": "1.11.4", "backend": {"type": "s3", "config": {"bucket": "states", "key": "one/a.tfstate", "use_lockfile": true, "acl": null}, "hash": 18446744073709551615}}`
	replaced := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("no %s", old)
		}
		return strings.Replace(good, old, new, 1)
	}
	for name, c := range map[string]struct {
		note   string
		filled bool
	}{
		"good":                 {good, true},
		"no version of a tool": {replaced(`"terraform_version": "1.11.4", `, ""), true},
		"empty":                {"", false},
		"no object":            {"[]", false},
		"no JSON":              {good[:40], false},
		"two values":           {good + good, false},
		"another format":       {replaced(`"version": 3`, `"version": 4`), false},
		"an unknown key":       {replaced(`"version": 3`, `"version": 3, "modules": []`), false},
		"a key of the backend": {replaced(`"hash"`, `"store": {}, "hash"`), false},
		"another type":         {replaced(`"s3"`, `"gcs"`), false},
		"no hash":              {replaced(`, "hash": 18446744073709551615`, ""), false},
		"hash of another kind": {replaced(`18446744073709551615`, `"x"`), false},
		"no arguments":         {replaced(`{"bucket": "states", "key": "one/a.tfstate", "use_lockfile": true, "acl": null}`, `null`), false},
		"argument left out":    {replaced(`"use_lockfile": true, `, ""), false},
		"argument is null":     {replaced(`"key": "one/a.tfstate"`, `"key": null`), false},
		"argument changed":     {replaced(`"key": "one/a.tfstate"`, `"key": "one/a.tfstate/"`), false},
		"copied elsewhere":     {replaced(`"acl": null`, `"acl": "of one/a.tfstate"`), false},
	} {
		content, ok := newTemplate([]byte(c.note), backend).fill(other)
		if ok != c.filled {
			t.Errorf("%s: filled %v, want %v", name, ok, c.filled)
		}
		if ok && (strings.Contains(string(content), "one/a") || !strings.Contains(string(content), "two/b.tfstate") || !strings.Contains(string(content), "18446744073709551615")) {
			t.Errorf("%s: %s", name, content)
		}
	}
	if _, ok := readTemplate(filepath.Join(t.TempDir(), "none"), backend).fill(other); ok {
		t.Error("a note that is missing is filled")
	}
}
