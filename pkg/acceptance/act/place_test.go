package act

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
)

// recorder stands in the place of the binary: it gives the step the home of its own
// job, and leaves a folder that tells what the step was asked, said and answered.
const recorder = `#!/usr/bin/env bash
set -u
if [ "${1:-}" = version ]; then echo 'metapipe %s'; exit; fi
export HOME=$RUNNER_TEMP/home XDG_CACHE_HOME=$RUNNER_TEMP/cache TMPDIR=$RUNNER_TEMP
mkdir -p "$HOME" "$XDG_CACHE_HOME"
said=$(mktemp -d "$RECORD/$(date +%%s%%N)-XXXXXX")
printf '%%s\0' "$@" >"$said/arguments"
'%s' "$@" 2>&1 | tee "$said/said"
code=${PIPESTATUS[0]}
cat "$GITHUB_OUTPUT" >"$said/outputs"
cat "$GITHUB_STEP_SUMMARY" >"$said/summary"
mv "$said" "$RECORD/$(date +%%s%%N)-${said##*-}-$code"
exit "$code"
`

// actStep is the record of one call of metapipe.
type actStep struct {
	command, environment  string // with /stack behind the environment where stacks have names
	args                  []string
	exit                  string
	said, summary, rawOut string
	outputs               map[string]string
}

// actSteps reads the records of the steps that have ended, in the order of their ends.
func actSteps(t *testing.T, stored string) []actStep {
	t.Helper()
	var steps []actStep
	for _, folder := range fixture.Must(filepath.Glob(filepath.Join(stored, "*-*-*")))(t) {
		read := func(name string) string { return fixture.ReadOptional(t, filepath.Join(folder, name)) }
		s := actStep{args: strings.Split(strings.TrimSuffix(read("arguments"), "\x00"), "\x00"), exit: folder[strings.LastIndexByte(folder, '-')+1:],
			said: read("said"), summary: read("summary"), rawOut: read("outputs")}
		s.command, s.outputs = s.args[0], fixture.ParseOutputs(t, s.rawOut)
		if i := slices.Index(s.args, "--environment"); i >= 0 && i+1 < len(s.args) && (s.command == "plan" || s.command == "apply") {
			s.environment = s.args[i+1]
			if i := slices.Index(s.args, "--stack"); i >= 0 && i+1 < len(s.args) && s.args[i+1] != "" {
				s.environment += "/" + s.args[i+1]
			}
		}
		if s.command != "version" { // the action shows it
			steps = append(steps, s)
		}
	}
	return steps
}

// stepOf finds the step of a command in an environment; the latter is empty for commands
// that have none.
func stepOf(steps []actStep, command, environment string) (actStep, bool) {
	i := slices.IndexFunc(steps, func(s actStep) bool { return s.command == command && s.environment == environment })
	if i < 0 {
		return actStep{}, false
	}
	return steps[i], true
}

// placeMetapipe makes a gh that hands out a release with the binary under test, and
// attests it: the action takes nothing else.
func placeMetapipe(t *testing.T, folder string) {
	t.Helper()
	version := actionVersion(t)
	archive := filepath.Join(folder, "release.tar.gz")
	fixture.Check(t, os.WriteFile(archive, releaseArchive(t, fmt.Sprintf(recorder, version, fixture.Must(exec.LookPath("metapipe"))(t))), 0o600))
	gh := fmt.Sprintf(`#!/usr/bin/env bash
set -euo pipefail
case "$1 $2 $3" in
"release download %[1]s") cp '%[2]s' "$7/$9"; (cd "$7" && sha256sum "$9" >checksums.txt) ;;
"attestation verify"*) [ "$8 $9" = "--source-ref refs/tags/%[1]s" ] ;;
*) exit 1 ;;
esac
`, version, archive)
	fixture.Check(t, os.WriteFile(filepath.Join(folder, "gh"), []byte(gh), 0o700))
}

// handedOn is the record of what a job that needs the infrastructure was given.
const handedOn = "handed-on"

// placeJQ makes a folder with the program that such a job calls: it keeps its input.
func placeJQ(t *testing.T, dir string) string {
	t.Helper()
	folder := filepath.Join(dir, "tools")
	fixture.Check(t, os.MkdirAll(folder, 0o700))
	fixture.Check(t, os.WriteFile(filepath.Join(folder, "jq"), []byte("#!/usr/bin/env bash\ncat >\"$RECORD/"+handedOn+"\"\n"), 0o700))
	return folder
}

// actionVersion is the release that the workflows install.
func actionVersion(t *testing.T) string {
	t.Helper()
	text := string(fixture.Must(os.ReadFile(filepath.Join(fixture.Root(t), "workflows", "customer", "trigger-infra.yml")))(t))
	found := regexp.MustCompile(`(?m)^ +version: (v\S+)$`).FindStringSubmatch(text)
	if found == nil {
		t.Fatal("the customer's workflow names no release of the action")
	}
	return found[1]
}

const emptyAction = `name: empty
runs:
  using: composite
  steps:
    - shell: bash
      run: "true"
`

// credentialsAction exports what aws-actions/configure-aws-credentials exports for
// static keys.
const credentialsAction = `name: credentials
inputs:
  aws-region: {required: true}
  role-to-assume: {required: false}
  aws-access-key-id: {required: false}
  aws-secret-access-key: {required: false}
runs:
  using: composite
  steps:
    - shell: bash
      env:
        REGION: ${{ inputs.aws-region }}
        ID: ${{ inputs.aws-access-key-id }}
        SECRET: ${{ inputs.aws-secret-access-key }}
      run: printf '%s\n' "AWS_REGION=$REGION" "AWS_DEFAULT_REGION=$REGION" "AWS_ACCESS_KEY_ID=$ID" "AWS_SECRET_ACCESS_KEY=$SECRET" >>"$GITHUB_ENV"
`

// localActions replaces what act would download: this project's action is the one
// of this checkout, the one for credentials hands the keys on, the others are
// actions without steps. act itself does what actions/checkout does.
func localActions(w *fixture.Setup, dir string) []string {
	t := w.T
	t.Helper()
	action := string(fixture.Must(os.ReadFile(filepath.Join(fixture.Root(t), "action.yml")))(t))
	for name, text := range map[string]string{"action": action, "credentials": credentialsAction, "empty": emptyAction} {
		fixture.Check(t, os.MkdirAll(filepath.Join(dir, name), 0o700))
		fixture.Check(t, os.WriteFile(filepath.Join(dir, name, "action.yml"), []byte(text), 0o600))
	}
	fixture.Check(t, os.CopyFS(filepath.Join(dir, "action", ".ci", "action"), os.DirFS(filepath.Join(fixture.Root(t), ".ci", "action"))))
	texts := []string{action}
	for _, name := range fixture.Must(filepath.Glob(filepath.Join(fixture.Root(t), "workflows", "*", "*.yml")))(t) {
		texts = append(texts, string(fixture.Must(os.ReadFile(name))(t)))
	}
	seen := map[string]bool{}
	var args []string
	for _, line := range strings.Split(strings.Join(texts, "\n"), "\n") {
		_, uses, ok := strings.Cut(line, "uses: ")
		uses, _, _ = strings.Cut(uses, " ")
		if !ok || seen[uses] || strings.HasPrefix(uses, "./") {
			continue
		}
		seen[uses] = true
		to := "empty"
		switch {
		case strings.HasPrefix(uses, "metapipe/"):
			to = "action"
		case strings.HasPrefix(uses, "aws-actions/configure-aws-credentials@"):
			to = "credentials"
		}
		args = append(args, "--local-repository", uses+"="+filepath.Join(dir, to))
	}
	return args
}
