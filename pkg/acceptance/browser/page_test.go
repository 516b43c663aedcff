package browser

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-rod/rod"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
)

// TestRehearsalPage opens the page of a real rehearsal as people do, in each view.
func TestRehearsalPage(t *testing.T) {
	t.Parallel()
	source, b := axe(t), start(t)
	file := rehearsed(t)
	for _, v := range views {
		t.Run(v.name, func(t *testing.T) {
			page := open(t, b, file, v)
			picture(t, page, "rehearsal-"+v.name)
			unfold(t, page)
			fits(t, page)
			says(t, page)
			accessible(t, page, source)
		})
	}
}

// rehearsed plays the example with a rejected change, and returns the page.
func rehearsed(t *testing.T) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out")
	examples := filepath.Join(fixture.Root(t), "examples")
	cmd := exec.CommandContext(t.Context(), "metapipe", "rehearse", "--manager-dir", filepath.Join(examples, "manager"), "--customer-dir", filepath.Join(examples, "customer"),
		"--proposal", filepath.Join(examples, "customer", ".rehearsal", "variables.yml"), "--approve", "yes", "--out", out)
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	pages, err := filepath.Glob(filepath.Join(out, "*.html"))
	if err != nil || len(pages) != 1 {
		t.Fatalf("%v %v", pages, err)
	}
	return pages[0]
}

// evaluate runs a script in the page and decodes what it returns.
func evaluate(t *testing.T, page *rod.Page, script string, into any) {
	t.Helper()
	result, err := page.Eval(script)
	if err != nil {
		t.Fatal(err)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal([]byte(result.Value.String()), into); err != nil {
		t.Fatalf("%v: %s", err, result.Value.String())
	}
}

// unfold opens all that is folded: what nobody sees is tested, too.
func unfold(t *testing.T, page *rod.Page) {
	t.Helper()
	evaluate(t, page, `() => document.querySelectorAll("details").forEach(d => { d.open = true })`, nil)
}

// fits refuses a page that is wider than the window. What must be wider scrolls for itself.
func fits(t *testing.T, page *rod.Page) {
	t.Helper()
	var wide []string
	evaluate(t, page, `() => {
		const root = document.documentElement;
		if (root.scrollWidth <= root.clientWidth) return "[]";
		const inside = e => { for (let p = e.parentElement; p; p = p.parentElement) if (getComputedStyle(p).overflowX !== "visible") return true; return false };
		return JSON.stringify(["the page has " + root.scrollWidth + " of " + root.clientWidth + " pixels"].concat([...document.querySelectorAll("body *")]
			.filter(e => e.getBoundingClientRect().right > root.clientWidth + 1 && !inside(e)).slice(0, 5).map(e => e.outerHTML.slice(0, 120))));
	}`, &wide)
	if len(wide) > 0 {
		t.Errorf("wider than the window:\n%s", strings.Join(wide, "\n"))
	}
}

// says refuses a table without a caption, and a mark of a state without words beside it.
func says(t *testing.T, page *rod.Page) {
	t.Helper()
	var faults []string
	evaluate(t, page, `() => {
		const faults = [];
		for (const table of document.querySelectorAll("table:not(.markdown table)")) if (!table.caption || !table.caption.textContent.trim()) faults.push("no caption: " + table.outerHTML.slice(0, 120));
		for (const dot of document.querySelectorAll(".dot")) if (!dot.parentElement.textContent.trim()) faults.push("a color alone: " + dot.parentElement.outerHTML.slice(0, 120));
		return JSON.stringify(faults);
	}`, &faults)
	for _, fault := range faults {
		t.Error(fault)
	}
}

// finding is one rule of axe-core that the page breaks.
type finding struct {
	ID, Help, Impact string
	Nodes            []struct {
		HTML           string
		FailureSummary string
	}
}

// accessible holds the page against the rules of WCAG 2.2, levels A and AA.
func accessible(t *testing.T, page *rod.Page, source string) {
	t.Helper()
	if err := page.AddScriptTag("", source); err != nil {
		t.Fatal(err)
	}
	var result struct {
		Violations []finding
		Passes     []finding
	}
	evaluate(t, page, `async () => JSON.stringify(await axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"], resultTypes: ["violations", "passes"]}))`, &result)
	if len(result.Passes) < 10 {
		t.Fatalf("axe-core has tried %d rules", len(result.Passes))
	}
	for _, v := range result.Violations {
		for i, n := range v.Nodes {
			if i == 3 {
				break
			}
			t.Errorf("%s (%s): %s\n%s\n%s", v.ID, v.Impact, v.Help, n.HTML, n.FailureSummary)
		}
	}
}
