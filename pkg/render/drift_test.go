package render_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/drift"
	"github.com/metapipe/metapipe/pkg/pipeline/issues"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/render"
	"github.com/metapipe/metapipe/testdata/untrusted"
)

// TestDriftGolden renders every testdata/drift/*.json and compares with its twins.
func TestDriftGolden(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/drift/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden cases: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			scan, name := readCase[drift.Scan](t, file), strings.TrimSuffix(file, ".json")
			var r render.Renderer
			summary := r.Drift(scan)
			golden(t, name+".summary.md", summary)
			checkMarkdown(t, summary)
			for _, result := range scan.Results {
				body := r.IssueClosing(result)
				of := name + "." + string(result.Customer)
				if result.Stack != "" {
					of += "." + result.Part()
				}
				if result.Plan != nil {
					body = r.Issue(result) + "\n---\n\n" + body
					golden(t, of+".issue.md", body)
				}
				if result.Ended {
					golden(t, of+".closing.md", body)
				}
				checkMarkdown(t, body)
			}
			var out bytes.Buffer
			if err := render.DriftJSON(&out, scan); err != nil {
				t.Fatal(err)
			}
			if strings.ContainsRune(out.String(), '\u202e') {
				t.Error("the JSON holds a character that turns text around")
			}
			var again drift.Scan
			if err := json.Unmarshal(out.Bytes(), &again); err != nil || len(again.Results) != len(scan.Results) {
				t.Errorf("the JSON is not the scan: %v", err)
			}
		})
	}
}

// TestIssuesOfEqualResultsAreEqual leaves out what a scan finds otherwise each time.
func TestIssuesOfEqualResultsAreEqual(t *testing.T) {
	t.Parallel()
	scan := readCase[drift.Scan](t, "testdata/drift/fleet.json")
	for _, result := range scan.Results {
		if result.Plan == nil {
			continue
		}
		later := result
		later.CheckedAt, later.Duration = later.CheckedAt.Add(24*time.Hour), pipeline.Seconds(time.Hour)
		if (render.Renderer{}).Issue(result) != (render.Renderer{}).Issue(later) {
			t.Errorf("%s: the issue changes with the time of the scan", result.Customer)
		}
		later.FirstSeen = later.FirstSeen.Add(time.Hour)
		if (render.Renderer{}).Issue(result) == (render.Renderer{}).Issue(later) {
			t.Errorf("%s: the issue does not say since when", result.Customer)
		}
	}
}

// TestDriftFitsItsRoom writes about a thousand bad targets into one job summary, and
// about ten thousand resources into one issue.
func TestDriftFitsItsRoom(t *testing.T) {
	t.Parallel()
	one := readCase[drift.Scan](t, "testdata/drift/fleet.json")
	scan := one
	scan.Results, scan.Missing, scan.Issues = nil, nil, nil
	long := strings.Repeat("a long message | ", 200)
	for i := range 1000 {
		r := one.Results[i%len(one.Results)]
		r.Customer = pipeline.CustomerName(fmt.Sprintf("customer-%04d", i))
		if r.Failure != nil {
			r.Failure = &drift.Failure{Cause: "tool", Message: long, Next: long}
		}
		scan.Results = append(scan.Results, r)
		scan.Issues = append(scan.Issues, drift.TargetIssue{Target: r.Target, Action: issues.Failed, Reason: long})
		scan.Missing = append(scan.Missing, fmt.Sprintf("lost-%04d/staging", i))
		scan.ExpiredRules = append(scan.ExpiredRules, long)
	}
	summary := (render.Renderer{}).Drift(scan)
	if n := len(summary); n > render.DefaultSummaryBytes {
		t.Errorf("the summary has %d bytes", n)
	}
	checkMarkdown(t, summary)
	for i, r := range scan.Results {
		if !r.Clean() && !strings.Contains(summary, fmt.Sprintf("`customer-%04d/", i)) {
			t.Fatalf("%s is not told", r.Customer)
		}
	}
	small := (render.Renderer{SummaryBytes: 20_000}).Drift(scan)
	if len(small) > 20_000 || !strings.Contains(small, "more that found no room here") {
		t.Errorf("%d bytes where 20,000 are allowed", len(small))
	}
	checkMarkdown(t, small)

	result := one.Results[len(one.Results)-1]
	plan := *result.Plan
	for i := range 10_000 {
		c := plan.Changes[i%len(result.Plan.Changes)]
		c.Address = fmt.Sprintf("aws_instance.box[%d]", i)
		plan.Changes, plan.Drift = append(plan.Changes, c), append(plan.Drift, c)
	}
	result.Plan = &plan
	body := (render.Renderer{}).Issue(result)
	if n := utf8.RuneCountInString(body); n > render.DefaultCommentChars || !strings.Contains(body, "gh workflow run") {
		t.Errorf("the issue has %d characters", n)
	}
	checkMarkdown(t, body)
}

// hostileScan is a scan that holds s in every free text; addresses are GitHub's own.
func hostileScan(s string) drift.Scan {
	plan := everywhere(s, pipeline.OutcomeWaiting).Targets[0].Plan
	result := func(env pipeline.Environment) drift.Result {
		return drift.Result{Target: pipeline.Target{Customer: "shop", Environment: env}, Branch: s, File: s, CheckedAt: time.Unix(2e9, 0),
			Ignored: []drift.IgnoredDrift{{Address: s, Attribute: s, Reason: s}},
			Applied: &record.DriftLastApply{Actor: s, RunURL: "https://github.example/run", At: time.Unix(1e9, 0)}}
	}
	differs, failed, skipped := result("staging"), result("production"), result("test")
	differs.Kinds, differs.Plan = []pipeline.DriftKind{pipeline.DriftReal, pipeline.DriftKind("x")}, plan
	failed.Kinds, failed.Failure = []pipeline.DriftKind{pipeline.DriftError}, &drift.Failure{Cause: s, Message: s, Next: s}
	skipped.Skipped = s
	return drift.Scan{ID: "20300102T030405Z-0a1b2c3d", Results: []drift.Result{differs, failed, skipped}, Missing: []string{s}, ExpiredRules: []string{s},
		Issues: []drift.TargetIssue{{Target: pipeline.Target{Customer: "shop", Environment: "staging"}, Number: 1, URL: "https://github.example/issues/1", Action: issues.Failed, Reason: s}}}
}

func checkHarmlessDrift(t *testing.T, s string) {
	t.Helper()
	scan := hostileScan(s)
	var r render.Renderer
	for _, text := range []string{r.Drift(scan), r.Issue(scan.Results[0]), r.IssueClosing(scan.Results[0])} {
		checkMarkdown(t, text)
	}
	var out bytes.Buffer
	if err := render.DriftJSON(&out, scan); err != nil || !json.Valid(out.Bytes()) {
		t.Errorf("%q: no JSON: %v", s, err)
	}
}

func TestDriftOfHostileTexts(t *testing.T) {
	t.Parallel()
	for _, s := range untrusted.Strings(t) {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			checkHarmlessDrift(t, s)
		})
	}
}

func FuzzDrift(f *testing.F) {
	for _, s := range untrusted.Strings(f) {
		f.Add(s)
	}
	f.Fuzz(checkHarmlessDrift)
}
