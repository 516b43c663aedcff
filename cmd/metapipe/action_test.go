package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// installer runs the script of action.yml as a runner does.
type installer struct {
	t   *testing.T
	dir string
	env map[string]string
}

func newInstaller(t *testing.T) *installer {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the script needs bash")
	}
	dir := t.TempDir()
	for _, d := range []string{"temp", "bin", "release"} {
		check(t, os.Mkdir(filepath.Join(dir, d), 0o700))
	}
	return &installer{t, dir, map[string]string{
		"PATH": filepath.Join(dir, "bin") + ":" + os.Getenv("PATH"), "HOME": os.Getenv("HOME"), "GOCACHE": strings.TrimSpace(string(must(exec.Command("go", "env", "GOCACHE").Output())(t))),
		"RUNNER_OS": "Linux", "RUNNER_ARCH": "X64", "RUNNER_TOOL_CACHE": filepath.Join(dir, "tools"), "RUNNER_TEMP": filepath.Join(dir, "temp"),
		"GITHUB_OUTPUT": filepath.Join(dir, "output"), "GITHUB_PATH": filepath.Join(dir, "path"), "RELEASE": filepath.Join(dir, "release"),
	}}
}

func (i *installer) run(verb string, env ...string) (string, error) {
	cmd := exec.CommandContext(i.t.Context(), filepath.Join(root(i.t), ".ci", "action", "install"), verb)
	for name, value := range i.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Env = append(cmd.Env, env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// script puts a program into the installer's PATH.
func (i *installer) script(name, text string) {
	i.t.Helper()
	check(i.t, os.WriteFile(filepath.Join(i.dir, "bin", name), []byte("#!/usr/bin/env bash\nset -euo pipefail\n"+text), 0o700))
}

func TestActionPlaces(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, version, ref, want, key string
		fails                         bool
	}{
		{name: "at a release", ref: "v1.2.3", want: "v1.2.3"},
		{name: "another release", version: "v1.2.4-rc.1", ref: "main", want: "v1.2.4-rc.1"},
		{name: "at a commit", ref: strings.Repeat("a1", 20), want: "source-" + strings.Repeat("a1", 20), key: "metapipe-source-" + strings.Repeat("a1", 20) + "-linux_amd64"},
		{name: "at a branch", ref: "feature/$(x)", want: "source-feature---x-"},
		{name: "from this repository", want: "source-local"},
		{name: "no release", version: "latest", fails: true},
		{name: "hostile", version: "v1.2.3\nkey=x", fails: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			i := newInstaller(t)
			out, err := i.run("place", "VERSION="+c.version, "ACTION_REF="+c.ref)
			if (err != nil) != c.fails {
				t.Fatalf("%v\n%s", err, out)
			}
			outputs := parseOutputs(t, readOptional(t, i.env["GITHUB_OUTPUT"]))
			if outputs["version"] != c.want || outputs["key"] != c.key {
				t.Errorf("outputs %v", outputs)
			}
		})
	}
}

// TestActionInstallsReleases gives the script a gh that hands out a release which
// was, or was not, tampered with.
func TestActionInstallsReleases(t *testing.T) {
	t.Parallel()
	const archive = "metapipe_1.2.3_linux_amd64.tar.gz"
	for _, c := range []struct{ name, sum, attested, says string }{
		{name: "proved", attested: "yes"},
		{name: "wrong checksum", sum: strings.Repeat("0", 64), attested: "yes", says: "checksum of " + archive + " is wrong"},
		{name: "not attested", attested: "no", says: "is not attested"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			i := newInstaller(t)
			content := release(t, "#!/bin/sh\necho metapipe v1.2.3\n")
			if c.sum == "" {
				c.sum = fmt.Sprintf("%x", sha256.Sum256(content))
			}
			check(t, os.WriteFile(filepath.Join(i.env["RELEASE"], archive), content, 0o600))
			check(t, os.WriteFile(filepath.Join(i.env["RELEASE"], "checksums.txt"), []byte("00  other.tar.gz\n"+c.sum+"  "+archive+"\n"), 0o600))
			i.script("gh", `case "$1 $2" in
"release download") [ "$3 $4 $5 $6" = "v1.2.3 --repo metapipe/metapipe --dir" ]; cp "$RELEASE"/* "$7" ;;
"attestation verify") [ "$ATTESTED" = yes ] ;;
*) exit 1 ;;
esac
`)
			folder := filepath.Join(i.dir, "tools", "x")
			out, err := i.run("install", "VERSION=v1.2.3", "FOLDER="+folder, "ATTESTED="+c.attested)
			_, statErr := os.Stat(filepath.Join(folder, "metapipe"))
			if c.says != "" {
				if err == nil || statErr == nil || !strings.Contains(out, c.says) || readOptional(t, i.env["GITHUB_PATH"]) != "" {
					t.Errorf("installed all the same (%v):\n%s", err, out)
				}
				return
			}
			if err != nil || statErr != nil || readOptional(t, i.env["GITHUB_PATH"]) != folder+"\n" {
				t.Errorf("not installed (%v):\n%s", err, out)
			}
		})
	}
}

// release is an archive that holds a metapipe.
func release(t *testing.T, script string) []byte {
	t.Helper()
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	files := tar.NewWriter(zipped)
	check(t, files.WriteHeader(&tar.Header{Name: "metapipe", Mode: 0o755, Size: int64(len(script))}))
	must(files.Write([]byte(script)))(t)
	check(t, files.Close())
	check(t, zipped.Close())
	return out.Bytes()
}

func TestActionBuildsFromSource(t *testing.T) {
	t.Parallel()
	i := newInstaller(t)
	folder := filepath.Join(i.dir, "tools", "x")
	for range 2 { // the second time it is there already
		out, err := i.run("install", "VERSION=source-main", "FOLDER="+folder)
		if err != nil || !strings.Contains(out, "metapipe source-main") {
			t.Fatalf("%v\n%s", err, out)
		}
	}
}

// TestReleaseNames holds the names of the release against those that the action
// asks for.
func TestReleaseNames(t *testing.T) {
	t.Parallel()
	config := string(must(os.ReadFile(filepath.Join(root(t), ".goreleaser.yml")))(t))
	for _, name := range []string{`name_template: "metapipe_{{ .Version }}_{{ .Os }}_{{ .Arch }}"`, "formats: [tar.gz]", "name_template: checksums.txt", "binary: metapipe"} {
		if !strings.Contains(config, name) {
			t.Errorf(".goreleaser.yml does not say %s, which .ci/action/install relies on", name)
		}
	}
}
