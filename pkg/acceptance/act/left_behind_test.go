package act

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/store/miniotest"
)

// leftBehind stands in the place of the tool. It leaves a process behind, as a provisioner or a
// provider can, and that process reads the environment of all that runs on its machine until the
// job is over. act has one machine for all jobs: those of a job share its RUNNER_TEMP.
const leftBehind = `#!/usr/bin/env bash
temp=$(tr '\0' '\n' <"/proc/$PPID/environ" | sed -n 's/^RUNNER_TEMP=//p')
found='%[1]s'/$(basename "$1")-$$
export temp found
setsid bash -c '
	for _ in $(seq 600); do
		for of in $(grep -lz "^RUNNER_TEMP=$temp$" /proc/[0-9]*/environ 2>/dev/null); do
			tr "\0" "\n" <"$of" 2>/dev/null | sed -nE "s/^([A-Z_]+)=.+/\1/p" >>"$found"
		done
		[ -d "$temp" ] || break
		sleep 0.05
	done' >/dev/null 2>&1 </dev/null &
exec '%[2]s' "$@"
`

// TestProcessLeftBehind: what the tool leaves behind in the jobs plan and apply finds no token for
// customers' repositories, also while the jobs of the reports run.
func TestProcessLeftBehind(t *testing.T) {
	t.Parallel()
	server := miniotest.Start(t, miniotest.Options{KMS: true})
	t.Run("left-behind", func(t *testing.T) { // the bucket is called like the test
		t.Parallel()
		w := newActSetup(t, server, nil)
		found := t.TempDir()
		w.tool = fmt.Sprintf(leftBehind, found, fixture.Must(exec.LookPath("terraform"))(t))
		run := w.Push("main", map[string]string{"infra/variables.yml": fixture.VariablesYML})
		j := w.through(run, nil)
		w.wantEnds(j, true, true)
		w.WantStatus(run.SHA, "infra/terraform-deploy/staging", "success: Applied")
		for _, command := range []string{"plan", "apply"} {
			seen := map[string]bool{}
			for _, file := range fixture.Must(filepath.Glob(filepath.Join(found, command+"-*")))(t) {
				for name := range strings.Lines(string(fixture.Must(os.ReadFile(file))(t))) {
					seen[strings.TrimSpace(name)] = true
				}
			}
			if !seen["METAPIPE_KEY"] { // of its own job: it does look
				t.Errorf("what %s left behind has found nothing", command)
			}
			for _, secret := range []string{"SOURCE_REPOS_PAT", "METAPIPE_APP_PRIVATE_KEY", "SOURCE_REPOS_READ_PAT"} {
				if seen[secret] {
					t.Errorf("what %s left behind has found %s", command, secret)
				}
			}
		}
		if !slices.ContainsFunc(j.answered, func(s actStep) bool { return s.command == "report" }) {
			t.Error("nothing was reported")
		}
	})
}
