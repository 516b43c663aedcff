package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// TestDriftUsage: each command of drift refuses what it cannot do, and says what can.
func TestDriftUsage(t *testing.T) {
	t.Parallel()
	const key, id = "METAPIPE_KEY=MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", "20300102T030405.678Z-0a1b2c3d"
	dir, store := managerTree(t), t.TempDir()
	for args, want := range map[string]string{
		"drift --list":                               "unknown flag: --list",
		"drift --summary":                            "unknown flag: --summary",
		"drift --shard 1":                            "unknown flag: --shard",
		"drift lst":                                  "did you mean `metapipe drift list`?",
		"drift --resume --scan " + id:                "--resume and --scan name two scans",
		"drift --scan " + id + " --customer blog":    "the targets of a scan are chosen when it begins",
		"drift --workers 257":                        "--workers cannot be negative, and is 256 at most",
		"drift --issues 1001":                        "--issues cannot be negative, and is 1000 at most",
		"drift --resume":                             "no interrupted scan",
		"drift list --issues 3":                      "unknown flag: --issues",
		"drift list --shards 0":                      "0 shards: want 1 to 256",
		"drift list --stale -1h":                     "--stale and --changed-since cannot be negative",
		"drift scan":                                 "takes the id of one scan",
		"drift scan " + id + " " + id:                "takes the id of one scan",
		"drift scan today":                           "use the one that `metapipe drift list` printed",
		"drift scan " + id + " --shard -1":           "--shard cannot be negative",
		"drift scan " + id + " --customer blog":      "unknown flag: --customer",
		"drift summary":                              "pass the output `scan` of metapipe drift list",
		"drift summary " + id:                        "begin one with `metapipe drift list`",
		"drift summary " + id + " --fail-on nothing": "use drift, error or none",
	} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			var out, complaints bytes.Buffer
			app := testApp(&out, &complaints, "GITHUB_ACTIONS=false", key, "METAPIPE_STORE="+store)
			app.Dir, app.Now = dir, time.Now
			if code := Main(t.Context(), strings.Fields(args), app); code != ExitUsage {
				t.Errorf("exit code %d", code)
			}
			if !strings.Contains(complaints.String(), want) {
				t.Errorf("printed %q, want %q", &complaints, want)
			}
		})
	}
}
