package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// TestShownUnlockWorks: a lock of a laptop is shown with a command that unlock accepts.
func TestShownUnlockWorks(t *testing.T) {
	t.Parallel()
	dir, manager := leftTarget(t, true), managerTree(t)
	run := func(args ...string) string {
		t.Helper()
		var out, complaints bytes.Buffer
		app := testApp(&out, &complaints, "GITHUB_ACTIONS=false", "METAPIPE_STORE="+dir)
		app.Dir, app.Now = manager, time.Now
		if code := Main(t.Context(), args, app); code != ExitDone {
			t.Fatalf("%s: exit code %d: %s", args, code, &complaints)
		}
		return out.String()
	}
	shown := run("state", "show", "--customer", "blog", "--environment", "staging")
	_, command, found := strings.Cut(shown, "metapipe unlock ")
	command, _, _ = strings.Cut(command, " (")
	if !found || !strings.HasSuffix(command, "--no-run") {
		t.Fatalf("no command with --no-run:\n%s", shown)
	}
	if out := run(append([]string{"unlock"}, strings.Fields(command)...)...); !strings.Contains(out, "is released") {
		t.Error(out)
	}
}
