package act

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

	"gopkg.in/yaml.v3"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
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
		fixture.Check(t, os.Mkdir(filepath.Join(dir, d), 0o700))
	}
	return &installer{t, dir, map[string]string{
		"PATH": filepath.Join(dir, "bin") + ":" + os.Getenv("PATH"), "HOME": os.Getenv("HOME"), "GOCACHE": strings.TrimSpace(string(fixture.Must(exec.Command("go", "env", "GOCACHE").Output())(t))),
		"RUNNER_OS": "Linux", "RUNNER_ARCH": "X64", "RUNNER_TOOL_CACHE": filepath.Join(dir, "tools"), "RUNNER_TEMP": filepath.Join(dir, "temp"),
		"GITHUB_OUTPUT": filepath.Join(dir, "output"), "GITHUB_PATH": filepath.Join(dir, "path"), "RELEASE": filepath.Join(dir, "release"),
	}}
}

func (i *installer) run(env ...string) (string, error) {
	cmd := exec.CommandContext(i.t.Context(), filepath.Join(fixture.Root(i.t), ".ci", "action", "install"))
	for name, value := range i.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Env = append(cmd.Env, env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// installed is the binary that the next steps of the job find, "" for none.
func (i *installer) installed() string {
	i.t.Helper()
	folder := strings.TrimSpace(fixture.ReadOptional(i.t, i.env["GITHUB_PATH"]))
	if folder == "" {
		return ""
	}
	if !strings.HasPrefix(folder, i.env["RUNNER_TEMP"]+"/") {
		i.t.Errorf("installed in %s, outside of the job's own folder", folder)
	}
	return filepath.Join(folder, "metapipe")
}

// proves is a gh that hands out the release and attests it as GitHub does: to the
// tag that its source has. It wants a place of its own for all that it reads and keeps.
const proves = `for place in "$HOME" "$GH_CONFIG_DIR" "$XDG_CACHE_HOME" "$XDG_DATA_HOME" "$XDG_STATE_HOME"; do
	case $place in "$RUNNER_TEMP"/*) ;; *) exit 1 ;; esac
	[ -z "$(ls -A "$place" 2>/dev/null)" ]
done
case "$1 $2" in
"release download") [ "$3 $4 $5 $6" = "v1.2.3 --repo metapipe/metapipe --dir" ]; cp "$RELEASE"/* "$7" ;;
"attestation verify") [ "$4 $5 $6 $7" = "--repo metapipe/metapipe --signer-workflow metapipe/metapipe/.github/workflows/release.yml" ]; [ "$8 $9" = "--source-ref $ATTESTED" ] ;;
*) exit 1 ;;
esac
`

// TestActionPreparesJobs: what the action runs beside its own script is pinned, leaves no token on
// the disk, and runs only where it is asked for. The other tests of this package run it.
func TestActionPreparesJobs(t *testing.T) {
	t.Parallel()
	var action struct {
		Inputs map[string]struct{ Default string }
		Runs   struct {
			Steps []struct {
				If, Uses, Run string
				With          map[string]string
			}
		}
	}
	fixture.Check(t, yaml.Unmarshal(fixture.Must(os.ReadFile(filepath.Join(fixture.Root(t), "action.yml")))(t), &action))
	steps := action.Runs.Steps
	if len(steps) != 3 || steps[0].If != "inputs.checkout == 'true'" || steps[1].If != "" || !strings.HasSuffix(steps[1].Run, "/.ci/action/install\"") || steps[2].If != "inputs.aws-region != ''" {
		t.Fatalf("steps: %+v", steps)
	}
	if len(steps[0].With) != 1 || steps[0].With["persist-credentials"] != "false" || !strings.HasPrefix(steps[0].Uses, "actions/checkout@") {
		t.Errorf("checkout: %+v", steps[0])
	}
	for input, value := range steps[2].With {
		if value != "${{ inputs."+input+" }}" || action.Inputs[input].Default != "" {
			t.Errorf("%s is %q", input, value)
		}
	}
	if action.Inputs["checkout"].Default != "false" {
		t.Error("a job is checked out that does not ask for it")
	}
}

// plant leaves a binary wherever an earlier job could have left one, also one of an
// installation of the same job folder, and settings of gh that send it to others.
func (i *installer) plant() {
	i.t.Helper()
	places := []string{filepath.Join(i.env["RUNNER_TEMP"], "metapipe"), filepath.Join(i.env["RUNNER_TEMP"], "metapipe-bin-1")}
	for _, version := range []string{"v1.2.3", "source-main", "source-local"} {
		places = append(places, filepath.Join(i.env["RUNNER_TOOL_CACHE"], "metapipe", version, "linux_amd64"))
	}
	i.env["XDG_CACHE_HOME"], i.env["GH_CONFIG_DIR"] = filepath.Join(i.dir, "cache"), filepath.Join(i.dir, "config")
	for _, name := range []string{"cache/gh/.sigstore/root/root.json", "config/config.yml"} {
		at := filepath.Join(i.dir, filepath.FromSlash(name))
		fixture.Check(i.t, os.MkdirAll(filepath.Dir(at), 0o700))
		fixture.Check(i.t, os.WriteFile(at, []byte("http_unix_socket: /tmp/evil\n"), 0o600))
	}
	for _, place := range places {
		at := filepath.Join(place, "metapipe")
		fixture.Check(i.t, os.MkdirAll(place, 0o700))
		fixture.Check(i.t, os.WriteFile(at, []byte("#!/bin/sh\necho PLANTED\n"), 0o700))
	}
}

// script puts a program into the installer's PATH.
func (i *installer) script(name, text string) {
	i.t.Helper()
	fixture.Check(i.t, os.WriteFile(filepath.Join(i.dir, "bin", name), []byte("#!/usr/bin/env bash\nset -euo pipefail\n"+text), 0o700))
}

// TestActionChooses: the input, else the ref of the action, else its source. The
// build is the one of a go that shows which settings it was given.
func TestActionChooses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, version, ref, want string
		fails                    bool
	}{
		{name: "at a release", ref: "v1.2.3", want: "v1.2.3"},
		{name: "a release by name", version: "v1.2.3", ref: strings.Repeat("a1", 20), want: "v1.2.3"},
		{name: "at a commit", ref: strings.Repeat("a1", 20), want: "source-" + strings.Repeat("a1", 20)},
		{name: "at a branch", ref: "feature/$(x)", want: "source-feature---x-"},
		{name: "from this repository", want: "source-local"},
		{name: "no release", version: "latest", fails: true},
		{name: "hostile", version: "v1.2.3\nkey=x", fails: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			i := newInstaller(t)
			i.plant()
			i.offers(releaseArchive(t, "#!/bin/sh\necho metapipe v1.2.3\n"), "")
			i.script("gh", proves)
			i.script("go", `[ "$GOENV" = off ] && [ "$GOFLAGS" = -modcacherw ] && [ "$GOWORK" = off ]
case "$GOCACHE $GOMODCACHE" in "$RUNNER_TEMP"/*" $RUNNER_TEMP"/*) ;; *) exit 1 ;; esac
[ ! -e "$GOCACHE" ] && [ ! -e "$GOMODCACHE" ]
while [ "$1" != -o ]; do shift; done
printf '#!/bin/sh\necho metapipe built\n' >"$2"
chmod +x "$2"
`)
			out, err := i.run("VERSION="+c.version, "ACTION_REF="+c.ref, "ATTESTED=refs/tags/v1.2.3", "GOFLAGS=-toolexec=/tmp/evil", "GOCACHE=/tmp/evil")
			if (err != nil) != c.fails {
				t.Fatalf("%v\n%s", err, out)
			}
			outputs := fixture.ParseOutputs(t, fixture.ReadOptional(t, i.env["GITHUB_OUTPUT"]))
			if outputs["version"] != c.want || (i.installed() == "") != c.fails || strings.Contains(out, "PLANTED") {
				t.Errorf("outputs %v, installed %q:\n%s", outputs, i.installed(), out)
			}
		})
	}
}

const archiveName = "metapipe_1.2.3_linux_amd64.tar.gz"

// offers puts a release where the gh of the test finds it; sum is the checksum
// that it comes with, "" for the right one.
func (i *installer) offers(content []byte, sum string) {
	i.t.Helper()
	if sum == "" {
		sum = fmt.Sprintf("%x", sha256.Sum256(content))
	}
	fixture.Check(i.t, os.WriteFile(filepath.Join(i.env["RELEASE"], archiveName), content, 0o600))
	fixture.Check(i.t, os.WriteFile(filepath.Join(i.env["RELEASE"], "checksums.txt"), []byte("00  other.tar.gz\n"+sum+"  "+archiveName+"\n"), 0o600))
}

// TestActionInstallsReleases gives the script a gh that hands out a release which
// was, or was not, tampered with, on a runner on which an earlier job left a binary.
func TestActionInstallsReleases(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, sum, attested, program, says string }{
		{name: "proved", attested: "refs/tags/v1.2.3"},
		{name: "wrong checksum", sum: strings.Repeat("0", 64), attested: "refs/tags/v1.2.3", says: "checksum of " + archiveName + " is wrong"},
		{name: "not attested", attested: "none", says: "is not attested"},
		{name: "attested for an older release", attested: "refs/tags/v1.2.2", says: "is not attested"},
		{name: "attested for a branch", attested: "refs/heads/v1.2.3", says: "is not attested"},
		{name: "another version inside", attested: "refs/tags/v1.2.3", program: "#!/bin/sh\necho metapipe v1.2.2\n", says: "does not call itself v1.2.3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			i := newInstaller(t)
			i.plant()
			if c.program == "" {
				c.program = "#!/bin/sh\necho metapipe v1.2.3 go1.26 linux/amd64\n"
			}
			i.offers(releaseArchive(t, c.program), c.sum)
			i.script("gh", proves)
			out, err := i.run("VERSION=v1.2.3", "ATTESTED="+c.attested)
			switch {
			case strings.Contains(out, "PLANTED"):
				t.Errorf("a binary that lay on the runner ran:\n%s", out)
			case c.says != "" && (err == nil || !strings.Contains(out, c.says) || i.installed() != ""):
				t.Errorf("installed all the same (%v):\n%s", err, out)
			case c.says == "" && (err != nil || i.installed() == ""):
				t.Errorf("not installed (%v):\n%s", err, out)
			}
		})
	}
}

// releaseArchive is an archive that holds a metapipe.
func releaseArchive(t *testing.T, script string) []byte {
	t.Helper()
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	files := tar.NewWriter(zipped)
	fixture.Check(t, files.WriteHeader(&tar.Header{Name: "metapipe", Mode: 0o755, Size: int64(len(script))}))
	fixture.Must(files.Write([]byte(script)))(t)
	fixture.Check(t, files.Close())
	fixture.Check(t, zipped.Close())
	return out.Bytes()
}

// TestActionBuildsFromSource builds this checkout, with the caches of this machine
// behind the caches that the script names: those would fetch every module anew.
func TestActionBuildsFromSource(t *testing.T) {
	t.Parallel()
	i := newInstaller(t)
	i.plant()
	modules := strings.TrimSpace(string(fixture.Must(exec.Command("go", "env", "GOMODCACHE").Output())(t)))
	i.script("go", "GOCACHE='"+i.env["GOCACHE"]+"' GOMODCACHE='"+modules+"' exec '"+fixture.Must(exec.LookPath("go"))(t)+"' \"$@\"\n")
	out, err := i.run("ACTION_REF=main")
	if err != nil || !strings.Contains(out, "metapipe source-main") || i.installed() == "" {
		t.Fatalf("%v\n%s", err, out)
	}
}

// TestActionKeepsNothing: a second job on the same runner proves the release again, and
// builds a branch again, since both may be others by now.
func TestActionKeepsNothing(t *testing.T) {
	t.Parallel()
	i := newInstaller(t)
	i.offers(releaseArchive(t, "#!/bin/sh\necho metapipe v1.2.3\n"), "")
	i.script("gh", proves)
	i.script("go", "echo build >>\"$RELEASE/../builds\"\nwhile [ \"$1\" != -o ]; do shift; done\nprintf '#!/bin/sh\\necho metapipe built\\n' >\"$2\"\nchmod +x \"$2\"\n")
	if out, err := i.run("VERSION=v1.2.3", "ATTESTED=refs/tags/v1.2.3"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	first := i.installed()
	fixture.Check(t, os.WriteFile(first, []byte("#!/bin/sh\necho PLANTED\n"), 0o700))
	fixture.Check(t, os.Remove(i.env["GITHUB_PATH"]))
	if out, err := i.run("VERSION=v1.2.3", "ATTESTED=refs/tags/v1.2.2"); err == nil || i.installed() != "" || !strings.Contains(out, "is not attested") {
		t.Errorf("a release that was proved once is not proved again: %v\n%s", err, out)
	}
	if out, err := i.run("VERSION=v1.2.3", "ATTESTED=refs/tags/v1.2.3"); err != nil || i.installed() == first || strings.Contains(out, "PLANTED") {
		t.Errorf("%v\n%s", err, out)
	}
	for range 2 {
		if out, err := i.run("ACTION_REF=main"); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	if got := fixture.ReadOptional(t, filepath.Join(i.dir, "builds")); got != "build\nbuild\n" {
		t.Errorf("a branch was built %q", got)
	}
}

// TestReleaseNames holds the names of the release against those that the action
// asks for.
func TestReleaseNames(t *testing.T) {
	t.Parallel()
	config := string(fixture.Must(os.ReadFile(filepath.Join(fixture.Root(t), ".goreleaser.yml")))(t))
	for _, name := range []string{`name_template: "metapipe_{{ .Version }}_{{ .Os }}_{{ .Arch }}"`, "formats: [tar.gz]", "name_template: checksums.txt", "binary: metapipe"} {
		if !strings.Contains(config, name) {
			t.Errorf(".goreleaser.yml does not say %s, which .ci/action/install relies on", name)
		}
	}
}

// TestActionOnAnotherHost: releases come from github.com, which never gets the token of another host.
func TestActionOnAnotherHost(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		server, token string
		fails         bool
	}{
		{server: "https://github.com", token: "job"}, {server: "https://ghe.example", fails: true}, {server: "https://ghe.example", token: "of-github.com"},
	} {
		i := newInstaller(t)
		i.offers(releaseArchive(t, "#!/bin/sh\necho metapipe v1.2.3\n"), "")
		i.script("gh", "[ \"$GH_HOST\" = github.com ] && [ -n \"$GH_TOKEN\" ]\n"+proves)
		out, err := i.run("VERSION=v1.2.3", "ATTESTED=refs/tags/v1.2.3", "GITHUB_SERVER_URL="+c.server, "GH_TOKEN="+c.token)
		if (err != nil) != c.fails || c.fails && !strings.Contains(out, "set the input github-token") {
			t.Errorf("%+v: %v\n%s", c, err, out)
		}
	}
	var action struct {
		Runs struct {
			Steps []struct{ Env map[string]string }
		}
	}
	fixture.Check(t, yaml.Unmarshal(fixture.Must(os.ReadFile(filepath.Join(fixture.Root(t), "action.yml")))(t), &action))
	if got := action.Runs.Steps[1].Env["GH_TOKEN"]; got != "${{ inputs.github-token || (github.server_url == 'https://github.com' && github.token || '') }}" {
		t.Errorf("GH_TOKEN is %q", got)
	}
}
