package docs

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
)

// releaseWorkflow is what the tests look at of release.yml.
type releaseWorkflow struct {
	Permissions map[string]string     `yaml:"permissions"`
	Jobs        map[string]releaseJob `yaml:"jobs"`
}

type releaseJob struct {
	Needs       string            `yaml:"needs"`
	Environment string            `yaml:"environment"`
	Permissions map[string]string `yaml:"permissions"`
	Steps       []releaseStep     `yaml:"steps"`
}

type releaseStep struct {
	Name string            `yaml:"name"`
	Uses string            `yaml:"uses"`
	With map[string]string `yaml:"with"`
	Env  map[string]string `yaml:"env"`
	Run  string            `yaml:"run"`
}

func (j releaseJob) writes() bool {
	for _, access := range j.Permissions {
		if access != "read" && access != "none" {
			return true
		}
	}
	return false
}

var (
	// writersActions are those of the job that may write; foreignCode is what it may not run.
	writersActions = []string{"actions/download-artifact", "actions/attest-build-provenance"}
	foreignCode    = regexp.MustCompile(`(?m)(\.ci/|\./|\bgo (run|build|install|test|generate)|\bmake\b|\bgoreleaser\b|\bsyft\b|\bcurl\b|\bnpm\b)`)
	exactInstall   = regexp.MustCompile(`@v[0-9]+\.[0-9]+\.[0-9]+(\s|$)`)
)

// releaseProblems are the ways in which code of others could write a release.
func releaseProblems(t *testing.T, content string) (problems []string) {
	t.Helper()
	var w releaseWorkflow
	if err := yaml.Unmarshal([]byte(content), &w); err != nil {
		t.Fatal(err)
	}
	if len(w.Permissions) != 0 || !strings.Contains(content, "\npermissions: {}\n") {
		problems = append(problems, "the workflow gives every job a permission")
	}
	if strings.Contains(content, "secrets.") {
		problems = append(problems, "the workflow reads a secret")
	}
	writers := 0
	for name, job := range w.Jobs {
		var found []string
		if job.writes() {
			writers++
			found = job.writerProblems(w.Jobs)
		} else {
			found = job.readerProblems()
		}
		for _, f := range found {
			problems = append(problems, "job "+name+" "+f)
		}
	}
	if writers != 1 {
		problems = append(problems, fmt.Sprintf("%d jobs may write", writers))
	}
	slices.Sort(problems)
	return problems
}

func (j releaseJob) writerProblems(jobs map[string]releaseJob) (problems []string) {
	if j.Environment != "release" {
		problems = append(problems, "may write without its protected environment")
	}
	if j.Needs != "build" {
		problems = append(problems, "does not wait for build")
	}
	if jobs["build"].Needs != "test" {
		problems = append(problems, "does not wait for test")
	}
	compared := false
	for _, step := range j.Steps {
		action, _, _ := strings.Cut(step.Uses, "@")
		if step.Uses != "" && !slices.Contains(writersActions, action) {
			problems = append(problems, "may write and uses "+action)
		}
		if code := foreignCode.FindString(step.Run); code != "" {
			problems = append(problems, "may write and runs "+code)
		}
		compared = compared || step.Env["SUMS"] == "${{ needs.build.outputs.sums }}"
		if !compared && (action == "actions/attest-build-provenance" || strings.Contains(step.Run, "gh release")) {
			problems = append(problems, "believes the archives before they are compared with the build")
		}
	}
	return problems
}

func (j releaseJob) readerProblems() (problems []string) {
	if len(j.Permissions) != 1 || j.Permissions["contents"] != "read" {
		problems = append(problems, "has other permissions than to read")
	}
	if j.Environment != "" {
		problems = append(problems, "has an environment")
	}
	for _, step := range j.Steps {
		action, _, _ := strings.Cut(step.Uses, "@")
		switch {
		case action == "actions/cache", action == "actions/setup-go" && step.With["cache"] != "false":
			problems = append(problems, "takes what another run has kept")
		case action == "actions/checkout" && step.With["persist-credentials"] != "false":
			problems = append(problems, "keeps its token for git")
		case strings.Contains(action, "goreleaser"):
			problems = append(problems, "takes a tool that no checksum database knows")
		}
		for line := range strings.Lines(step.Run) {
			if strings.Contains(line, "go install") && !exactInstall.MatchString(line) {
				problems = append(problems, "installs no exact version: "+strings.TrimSpace(line))
			}
		}
	}
	return problems
}

func releaseFile(t *testing.T) string {
	t.Helper()
	return string(fixture.Must(os.ReadFile(filepath.Join(fixture.RepoRoot, ".github", "workflows", "release.yml")))(t))
}

// TestReleaseJobs: what runs foreign code can only read, and what may write runs none.
func TestReleaseJobs(t *testing.T) {
	t.Parallel()
	content := releaseFile(t)
	for _, problem := range releaseProblems(t, content) {
		t.Error("release.yml: " + problem)
	}
	for name, c := range map[string]struct{ old, now, want string }{
		"rights for all":     {"\npermissions: {}\n", "\npermissions: {contents: write}\n", "gives every job"},
		"tests may write":    {"      contents: read\n", "      contents: write\n", "jobs may write"},
		"no gate":            {"    environment: release", "    name: release", "without its protected environment"},
		"no tests":           {"    needs: test", "    name: build", "does not wait for test"},
		"no build":           {"    needs: build", "    needs: test", "does not wait for build"},
		"checkout":           {"uses: actions/download-artifact@", "uses: actions/checkout@", "may write and uses actions/checkout"},
		"script":             {"gh release edit", ".ci/publish; gh release edit", "may write and runs .ci/"},
		"not compared":       {"SUMS: ${{ needs.build.outputs.sums }}", "SUMS: x", "before they are compared"},
		"floating tool":      {"goreleaser/v2@v2.17.0", "goreleaser/v2@latest", "no exact version"},
		"kept modules":       {"cache: false", "cache: true", "another run has kept"},
		"credentials in git": {"persist-credentials: false", "persist-credentials: true", "keeps its token"},
		"secret":             {"TAG: ${{ github.ref_name }}", "TAG: ${{ secrets.TAG }}", "reads a secret"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			changed := strings.Replace(content, c.old, c.now, 1)
			if changed == content {
				t.Fatalf("release.yml has no %q", c.old)
			}
			if got := strings.Join(releaseProblems(t, changed), "\n"); !strings.Contains(got, c.want) {
				t.Errorf("want %q in %q", c.want, got)
			}
		})
	}
}

// releaseScript is the script of a step of the job that publishes.
func releaseScript(t *testing.T, name string) string {
	t.Helper()
	var w releaseWorkflow
	fixture.Check(t, yaml.Unmarshal([]byte(releaseFile(t)), &w))
	for _, step := range w.Jobs["publish"].Steps {
		if step.Name == name {
			return step.Run
		}
	}
	t.Fatalf("the job publish has no step %q", name)
	return ""
}

// runScript runs a script as a runner does.
func runScript(t *testing.T, dir, script string, env ...string) (string, error) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("the script runs in the release workflow, on Linux")
	}
	cmd := exec.CommandContext(t.Context(), "bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script)
	cmd.Dir, cmd.Env = dir, append([]string{"PATH=" + filepath.Join(dir, "bin") + ":" + os.Getenv("PATH")}, env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestReleaseIsComparedWithTheBuild: an archive that was exchanged after the build is
// not attested, with or without its checksum.
func TestReleaseIsComparedWithTheBuild(t *testing.T) {
	t.Parallel()
	script := releaseScript(t, "Compare with the build")
	sum := func(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text))) }
	checksums := sum("archive") + "  a.tar.gz\n"
	for name, c := range map[string]struct {
		archive, checksums, notes string
		fails                     bool
	}{
		"as built":                          {archive: "archive", checksums: checksums, notes: "notes"},
		"another archive":                   {archive: "other", checksums: checksums, notes: "notes", fails: true},
		"another archive with its checksum": {archive: "other", checksums: sum("other") + "  a.tar.gz\n", notes: "notes", fails: true},
		"other notes":                       {archive: "archive", checksums: checksums, notes: "other", fails: true},
		"no checksum":                       {archive: "archive", checksums: "", notes: "notes", fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for file, text := range map[string]string{"a.tar.gz": c.archive, "checksums.txt": c.checksums, "notes.md": c.notes} {
				fixture.Check(t, os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600))
			}
			out, err := runScript(t, dir, script, "SUMS="+sum(checksums)+"  checksums.txt\n"+sum("notes")+"  notes.md")
			if (err != nil) != c.fails {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	if out, err := runScript(t, t.TempDir(), script, "SUMS="); err == nil {
		t.Errorf("a build without sums is believed:\n%s", out)
	}
}

// TestReleaseIsPublishedOnce: a draft of a run that stopped is made again, and what is
// published is never replaced.
func TestReleaseIsPublishedOnce(t *testing.T) {
	t.Parallel()
	script := releaseScript(t, "Publish")
	for name, c := range map[string]struct {
		tag, draft string // what gh says of the release, "" for none
		want       []string
		fails      bool
	}{
		"new":            {tag: "v1.2.3", want: []string{"list", "create", "edit"}},
		"pre-release":    {tag: "v1.2.3-rc.1", want: []string{"list", "create --prerelease", "edit"}},
		"a draft before": {tag: "v1.2.3", draft: "true", want: []string{"list", "delete", "create", "edit"}},
		"published":      {tag: "v1.2.3", draft: "false", want: []string{"list", "create"}, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			fixture.Check(t, os.MkdirAll(filepath.Join(dir, "dist"), 0o700))
			fixture.Check(t, os.Mkdir(filepath.Join(dir, "bin"), 0o700))
			for _, file := range []string{"a.tar.gz", "a.deb", "a.rpm", "a.tar.gz.sbom.json", "checksums.txt", "notes.md", "metapipe.rb"} {
				fixture.Check(t, os.WriteFile(filepath.Join(dir, "dist", file), []byte(file), 0o600))
			}
			gh := `#!/bin/sh
case "$2 $*" in *--prerelease*) echo "$2 --prerelease" >>calls ;; *) echo "$2" >>calls ;; esac
[ "$1" = release ] && { [ "$2" = list ] || [ "$3" = "$TAG" ]; } || exit 2
case $2 in
list) [ "$DRAFT" != true ] || echo "$TAG" ;;
delete) [ "$DRAFT" = true ] && echo none >deleted ;;
create) { [ -z "$DRAFT" ] || [ -e deleted ]; } && case "$*" in *" --draft --verify-tag "*"dist/a.tar.gz dist/a.deb dist/a.rpm dist/a.tar.gz.sbom.json dist/checksums.txt dist/metapipe.rb") ;; *) exit 3 ;; esac ;;
edit) [ "$4" = --draft=false ] ;;
esac
`
			fixture.Check(t, os.WriteFile(filepath.Join(dir, "bin", "gh"), []byte(gh), 0o700))
			out, err := runScript(t, dir, script, "TAG="+c.tag, "DRAFT="+c.draft)
			calls := strings.Split(strings.TrimSpace(fixture.ReadOptional(t, filepath.Join(dir, "calls"))), "\n")
			if (err != nil) != c.fails || !slices.Equal(calls, c.want) {
				t.Errorf("%v, calls %q, want %q\n%s", err, calls, c.want, out)
			}
		})
	}
}
