package rehearsal

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/rehearsal/story"
)

// archive writes everything into the folder and prints the results.
func (s *rehearsal) archive(started time.Time, played error) (Result, error) {
	customer, manager := s.setup.customer.Snapshot(), s.setup.manager.Snapshot()
	r := Result{Out: s.folder.root, Steps: s.steps, Pending: pending(customer)}
	r.Report = s.story(started, r, played)
	var page bytes.Buffer
	errs := []error{
		s.folder.writeJSON(customer.Deployments, "customer", "deployments.json"),
		s.folder.writeJSON(customer.Runs, "customer", "runs.json"),
		s.folder.writeJSON(manager.Runs, "manager", "runs.json"),
		s.folder.writeJSON(s.requests(), "requests.json"),
		story.Page(&page, r.Report),
		s.folder.write(page.Bytes(), PageFile),
		s.folder.write([]byte(s.guide(r)), "README.md"),
	}
	if s.setup.inbox != nil {
		errs = append(errs, s.folder.writeJSON(s.setup.inbox.Snapshot().Runs, "inbox", "runs.json"))
	}
	for sha, statuses := range customer.Statuses {
		errs = append(errs, s.folder.writeJSON(statuses, "customer", "statuses", sha+".json"))
	}
	s.printResults(r)
	return r, errors.Join(errs...)
}

// pending are the statuses that never ended, as "commit context".
func pending(repo hub.RepoSnapshot) []string {
	var out []string
	for _, sha := range slices.Sorted(maps.Keys(repo.Statuses)) {
		for _, st := range latest(repo.Statuses[sha]) {
			if st.State == "pending" {
				out = append(out, short(sha)+" "+st.Context)
			}
		}
	}
	return out
}

func (s *rehearsal) story(started time.Time, r Result, played error) story.Story {
	chapters, notes := s.narrator.printable()
	out := story.Story{
		Title: "From pull request to production", At: started, Took: s.opts.Now().Sub(started), OK: r.OK() && played == nil,
		Verdict: "Everything went as it should, and no status was left pending.", Customer: s.setup.customer.Slug(), Manager: s.setup.manager.Slug(),
		BaseURL: s.setup.hub.URL(), Notes: notes, Chapters: chapters,
	}
	switch {
	case played != nil:
		out.Verdict = "The rehearsal stopped before its end: " + clean(played.Error())
	case len(r.Pending) > 0:
		out.Verdict = "Not as it should: these statuses never ended: " + strings.Join(r.Pending, ", ")
	case !r.OK():
		out.Verdict = "Not everything went as it should: see the results."
	}
	for _, step := range r.Steps {
		out.Results = append(out.Results, story.Result{Step: step.Name, Expected: step.Expected, Got: step.Got, OK: step.OK, LeftOut: step.LeftOut, Took: step.Took, Anchor: anchorOf(chapters, step.Name)})
	}
	for _, c := range s.calls {
		out.Calls = append(out.Calls, story.Calls{Step: c.Step, Reads: c.Reads, Writes: c.Writes})
	}
	return out
}

// anchorOf finds the chapter of a step: its title is the step's name behind a number.
func anchorOf(chapters []story.Chapter, name string) string {
	i := slices.IndexFunc(chapters, func(c story.Chapter) bool {
		_, title, _ := strings.Cut(c.Title, ". ")
		return title == name
	})
	if i < 0 {
		return ""
	}
	return story.ChapterAnchor(i)
}

// requests is the content of requests.json.
func (s *rehearsal) requests() any {
	sum := stepCalls{Step: "total"}
	for _, c := range s.calls {
		sum.Reads, sum.Writes = sum.Reads+c.Reads, sum.Writes+c.Writes
	}
	return struct {
		Reads  int         `json:"reads"`
		Writes int         `json:"writes"`
		Steps  []stepCalls `json:"steps"`
	}{sum.Reads, sum.Writes, s.calls}
}

// guide is the README.md of the folder.
func (s *rehearsal) guide(r Result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# A rehearsal of %s and %s\n\nOpen `story.html` for the whole story on one page.\n\n| Step | Expected | What came back | |\n|---|---|---|---|\n",
		s.setup.customer.Slug(), s.setup.manager.Slug())
	for _, step := range r.Steps {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", cell(step.Name), cell(step.Expected), cell(step.Got), okWord(step.OK))
	}
	b.WriteString(`
## What is where

| File | What it is |
|---|---|
| customer/pull-requests/N/comment.md | the comment on pull request N; comment-1.md and so on are its versions |
| customer/statuses/COMMIT.json | every status of a commit, oldest first |
| customer/deployments.json | the deployments, which carry the outputs |
| customer/runs.json, manager/runs.json | the workflow runs of both sides |
`)
	for _, row := range s.folder.present("summaries", "logs") {
		b.WriteString(row)
	}
	b.WriteString(`| requests.json | the requests to GitHub, step by step |

Nothing here is secret: sensitive values were left out before they got here, as they are on GitHub.
Links to workflow runs led to a GitHub that ended with the rehearsal.
`)
	return b.String()
}

// cell encodes a text for a cell of a Markdown table: a backslash takes the
// meaning from what has one. https://spec.commonmark.org/0.31.2/#backslash-escapes
func cell(text string) string {
	var out strings.Builder
	for _, r := range printable(text) {
		if strings.ContainsRune("\\`*_[]<>|~&!#", r) {
			out.WriteByte('\\')
		}
		out.WriteRune(r)
	}
	return out.String()
}

func okWord(ok bool) string {
	if ok {
		return "as expected"
	}
	return "**not as expected**"
}

// printResults ends the story in the terminal.
func (s *rehearsal) printResults(r Result) {
	t := s.narrator.show
	lines := []string{"", t.paint(bold, "Results"), ""}
	wide := 0
	for _, step := range r.Steps {
		wide = max(wide, len(step.Name))
	}
	for _, step := range r.Steps {
		mark := story.Done
		switch {
		case step.LeftOut:
			mark = story.Stopped
		case !step.OK:
			mark = story.Failed
		}
		lines = append(lines, fmt.Sprintf("%s %-*s  %s  %s", t.sign(mark), wide, step.Name, cut(printable(step.Got), t.room(wide)), t.paint(faint, story.Took(step.Took))))
		if !step.OK {
			lines = append(lines, strings.Repeat(" ", wide+4)+t.paint(red, "expected: "+printable(step.Expected)))
		}
	}
	for _, p := range r.Pending {
		lines = append(lines, t.paint(red, "✗ a status never ended: "+printable(p)))
	}
	lines = append(lines, "", "Open in a browser:    "+s.folder.path(PageFile), "Files of each party:  "+s.folder.root, "")
	t.print(lines...)
}
