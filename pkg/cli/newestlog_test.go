package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestNewestLog: without --request the newest kept log is looked for, and what only
// looks like one is not taken for it.
func TestNewestLog(t *testing.T) {
	t.Parallel()
	const key = "METAPIPE_KEY=MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	store := t.TempDir()
	show := func() string {
		var out, complaints bytes.Buffer
		app := testApp(&out, &complaints, "GITHUB_ACTIONS=false", key, "METAPIPE_STORE="+store)
		app.Dir = managerTree(t)
		Main(t.Context(), strings.Fields("state show --customer blog --environment staging --log"), app)
		return out.String() + complaints.String()
	}
	put := func(age time.Duration, parts ...string) {
		file := filepath.Join(append([]string{store, "blog"}, parts...)...)
		at := time.Now().Add(-age)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, at, at); err != nil {
			t.Fatal(err)
		}
	}
	put(0, "staging", "plans", "aaaaaaaa-0000-4000-8000-000000000001", "0001", "artifacts.sealed")
	put(0, "staging", "plans", "no-request", "0001", "plan-log.sealed")
	put(0, "live", "plans", "bbbbbbbb-0000-4000-8000-000000000001", "0001", "plan-log.sealed")
	if output := show(); !strings.Contains(output, "no log is kept for blog/staging") {
		t.Errorf("without a log: %s", output)
	}
	put(time.Hour, "staging", "plans", "ffffffff-0000-4000-8000-000000000001", "0001", "plan-log.sealed")
	put(time.Minute, "staging", "plans", "cccccccc-0000-4000-8000-000000000001", "0001", "apply-0000000003-log.sealed")
	put(time.Hour, "staging", "plans", "dddddddd-0000-4000-8000-000000000001", "0001", "plan-log.sealed")
	// The seal is wrong: the message names the request that was chosen.
	if output := show(); !strings.Contains(output, "the log of request cccccccc for blog/staging") {
		t.Errorf("the newest log is not chosen: %s", output)
	}
}

// TestMissingDirectoryOfStates: the directory that metapipe.yml names is no empty
// store when it is not there.
func TestMissingDirectoryOfStates(t *testing.T) {
	t.Parallel()
	const target = " --customer blog --environment staging"
	for args, want := range map[string]int{
		"state list": ExitDone, "state list --json": ExitDone, "state show" + target: ExitUsage, "ledger --customer blog": ExitUsage,
		"unlock --lock-id x" + target: ExitUsage, "state accept --reason gone" + target: ExitUsage,
	} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			dir := managerTree(t)
			elsewhere := filepath.Join(t.TempDir(), "states")
			f, err := os.OpenFile(filepath.Join(dir, "metapipe.yml"), os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.WriteString("state: {directory: " + elsewhere + "}\n"); err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			var out, complaints bytes.Buffer
			app := testApp(&out, &complaints, "GITHUB_ACTIONS=false", "METAPIPE_KEY=MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
			app.Dir = dir
			code := Main(t.Context(), strings.Fields(args), app)
			if code != want || !strings.Contains(complaints.String(), elsewhere) || !strings.Contains(complaints.String(), "does not exist") {
				t.Errorf("exit code %d, want %d: %s", code, want, &complaints)
			}
			if _, err := os.Stat(elsewhere); err == nil {
				t.Error("the directory was made")
			}
		})
	}
}
