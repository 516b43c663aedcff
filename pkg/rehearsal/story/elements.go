package story

import (
	"fmt"
	"html"
	"strconv"
	"strings"
	"time"
)

// page is written without html/template: that looks methods up by reflection, for which the
// linker would keep every method of every type. put escapes all that is not ours.
type page struct {
	Story
	out strings.Builder
	err error
}

// safe is HTML.
type safe string

// put writes HTML. Its %s are escaped, for text between elements and for attributes in
// double quotes, unless they are safe.
func (p *page) put(format string, values ...any) {
	for i, v := range values {
		if s, ok := v.(safe); ok {
			values[i] = string(s)
			continue
		}
		values[i] = html.EscapeString(fmt.Sprint(v))
	}
	fmt.Fprintf(&p.out, format, values...)
}

// putIf writes it unless the value is empty.
func (p *page) putIf(format, value string) {
	if value != "" {
		p.put(format, value)
	}
}

func (p *page) whole() {
	p.put(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<meta name="referrer" content="no-referrer">
<title>%s</title>
<style>%s</style>
</head>
<body>
`, p.Title, safe(style))
	p.header()
	p.put("<main>")
	p.results()
	for i, c := range p.Chapters {
		p.chapter(i, c)
	}
	p.calls()
	p.put(`
</main>
<footer>One machine, real Terraform or OpenTofu, no cloud. The files beside this page hold the same as Markdown and JSON.</footer>
</body>
</html>
`)
}

func (p *page) header() {
	p.put(`<header class="top">
  <p class="eyebrow">metapipe rehearsal · %s`, p.At.Format("2 January 2006, 15:04"))
	p.putIf(" · %s", Took(p.Took))
	verdict := "failed"
	if p.OK {
		verdict = "done"
	}
	p.put(`</p>
  <h1>%s</h1>
  <p class="verdict %s"><span class="dot" aria-hidden="true"></span>%s</p>
  <ul class="cast">
    <li class="customer"><b>Customer</b> %s</li>
    <li class="manager"><b>Manager</b> %s</li>
    <li class="reviewer"><b>Reviewer</b> people behind the gate</li>
    <li class="github"><b>GitHub</b> in-process, real rules</li>
  </ul>`, p.Title, verdict, p.Verdict, p.Customer, p.Manager)
	if len(p.Notes) > 0 {
		p.put(`
  <ul class="notes">`)
		for _, note := range p.Notes {
			p.put("<li>%s</li>", note)
		}
		p.put("</ul>")
	}
	p.put(`
</header>
`)
}

func (p *page) results() {
	if len(p.Results) == 0 {
		return
	}
	p.put(`
<section class="results" aria-label="Results">
<div class="scroll" tabindex="0"><table>
<caption>What each step was expected to do, and did</caption>
<thead><tr><th scope="col">Step</th><th scope="col">Expected</th><th scope="col">What came back</th><th scope="col" class="num">Took</th></tr></thead>
<tbody>`)
	for _, r := range p.Results {
		class, words := "failed", "not as expected"
		switch {
		case r.LeftOut:
			class, words = "stopped", "left out"
		case r.OK:
			class, words = "done", "as expected"
		}
		p.put("\n<tr class=\"%s\"><td>", class)
		if r.Anchor != "" {
			p.put(`<a href="#%s">%s</a>`, r.Anchor, r.Step)
		} else {
			p.put("%s", r.Step)
		}
		p.put(`</td><td>%s</td><td><span class="dot" aria-hidden="true"></span>%s: %s</td><td class="num">%s</td></tr>`, r.Expected, words, r.Got, Took(r.Took))
	}
	p.put(`
</tbody></table></div>
</section>`)
}

func (p *page) chapter(place int, c Chapter) {
	p.put("\n<section class=\"chapter\" id=\"%s\">\n<h2>%s", ChapterAnchor(place), c.Title)
	if words := map[Mark]string{Done: "as expected", Failed: "not as expected", Stopped: "stopped"}[c.Mark]; words != "" {
		p.put(`<span class="mark %s">%s</span>`, c.Mark, words)
	}
	p.put("</h2>")
	p.putIf(`<p class="lead">%s</p>`, c.Lead)
	p.timeline("<ol class=\"timeline highlights\" aria-label=\"What people see\">", c.Highlights(), "")
	p.timeline("<ol class=\"timeline\" aria-label=\"Steps\">", c.Steps(), "")
	reports := c.Reports()
	many := "s"
	if len(reports) == 1 {
		many = ""
	}
	p.timeline(safe(fmt.Sprintf("<details class=\"quiet\"><summary>%d report%s to the customer</summary>\n<ol class=\"timeline\">", len(reports), many)), reports, "</details>")
	p.put("\n</section>")
}

// timeline writes events between a start and an end, unless there are none.
func (p *page) timeline(start safe, events []Event, end safe) {
	if len(events) == 0 {
		return
	}
	p.put("\n%s", start)
	for _, e := range events {
		p.event(e)
	}
	p.put("\n</ol>%s", end)
}

func (p *page) event(e Event) {
	p.put("\n<li class=\"event %s %s\"", e.Who, e.Mark)
	p.putIf(` id="%s"`, e.Anchor)
	p.put(">\n<div class=\"line\">\n<span class=\"who\">%s</span><span class=\"title\">%s</span>", e.Who, e.Title)
	p.putIf(`<span class="answer">%s</span>`, e.Answer)
	p.put("\n<span class=\"when\"><time>%s</time>", clock(e.At))
	p.putIf(" · %s", Took(e.Took))
	p.put("</span>\n</div>")
	if len(e.Parts) > 0 {
		p.put(`<div class="parts">`)
		for _, part := range e.Parts {
			p.part(part)
		}
		p.put("</div>")
	}
	p.put("\n</li>")
}

func clock(t time.Time) string { return t.Format("15:04:05") }

func (p *page) part(part Part) {
	open := ""
	if part.Open {
		open = " open"
	}
	p.put("\n<details class=\"%s\"%s><summary>", part.Kind, open)
	p.putIf("<b>%s</b> ", part.Author)
	p.put("<span>%s</span>", part.Title)
	if part.Kind == Statuses {
		p.put(`<span class="states">`)
		for _, s := range states(part.Rows) {
			p.put(`<span class="%s"><span class="dot" aria-hidden="true"></span>%s %s</span>`, s.State, strconv.Itoa(s.Count), s.State)
		}
		p.put("</span>")
	}
	p.put("</summary>")
	p.content(part)
	p.put("</details>")
}

func (p *page) content(part Part) {
	lines := strings.Split(strings.TrimRight(part.Text, "\n"), "\n")
	switch {
	case part.Markdown != "":
		rendered, err := HTML(part.Markdown)
		if err != nil {
			p.err = err
		}
		p.put("<div class=\"markdown\" tabindex=\"0\">%s</div>", safe(p.anchorRuns(rendered)))
	case part.Kind == Diff:
		p.put(`<pre class="diff" tabindex="0">`)
		for _, line := range lines {
			p.put("<span class=\"%s\">%s\n</span>", diffLine(line), line)
		}
		p.put("</pre>")
	case part.Kind == Statuses:
		p.put(`<ul class="list">`)
		for _, row := range part.Rows {
			p.put(`<li class="%s"><span class="dot" aria-hidden="true"></span><b>%s</b><span class="state">%s</span><span>%s</span></li>`, row[0], row[1], row[0], row[2])
		}
		p.put("</ul>")
	case part.Kind == Table:
		p.table(part.Title, part.Rows)
	case part.Kind == Problems:
		p.put("<ul>")
		for _, line := range lines {
			p.put("<li>%s</li>", line)
		}
		p.put("</ul>")
	default:
		p.put("<pre tabindex=\"0\">%s</pre>", part.Text)
	}
}

func (p *page) table(caption string, rows [][]string) {
	p.put(`<div class="scroll" tabindex="0"><table><caption>%s</caption>`, caption)
	for i, row := range rows {
		cell := "<td>%s</td>"
		if i == 0 {
			cell = `<th scope="col">%s</th>`
		}
		p.put("<tr>")
		for _, text := range row {
			p.put(cell, text)
		}
		p.put("</tr>")
	}
	p.put("</table></div>")
}

func (p *page) calls() {
	if len(p.Calls) == 0 {
		return
	}
	sum := total(p.Calls)
	p.put(`
<section class="calls">
<h2>Requests to GitHub</h2>
<details><summary>%s reads and %s writes in all</summary>
<div class="scroll" tabindex="0"><table>
<caption>Requests of each step</caption>
<thead><tr><th scope="col">Step</th><th scope="col" class="num">Reads</th><th scope="col" class="num">Writes</th></tr></thead>
<tbody>`, strconv.Itoa(sum.Reads), strconv.Itoa(sum.Writes))
	for _, c := range p.Calls {
		p.put(`<tr><td>%s</td><td class="num">%s</td><td class="num">%s</td></tr>`, c.Step, strconv.Itoa(c.Reads), strconv.Itoa(c.Writes))
	}
	p.put(`</tbody>
</table></div></details>
</section>`)
}
