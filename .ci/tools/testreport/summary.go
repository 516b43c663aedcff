package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
)

type testID struct{ pkg, test string }

// event is one line of `go test -json`: https://pkg.go.dev/cmd/test2json and,
// for the build-* actions, `go help buildjson`.
type event struct {
	Action     string
	Package    string
	ImportPath string
	Test       string
	Elapsed    float64
	Output     string
}

// summary counts the results and holds the output of tests that may yet fail.
type summary struct {
	passed, failed int
	skips          []skip
	failedIn       map[string]int // by package
	output         map[testID]*strings.Builder
}

type skip struct {
	testID
	reason string
}

func newSummary() *summary {
	return &summary{failedIn: map[string]int{}, output: map[testID]*strings.Builder{}}
}

// read takes in all events and prints failures, and a line per package, as they
// come. Lines that are no events are printed as they are.
func (s *summary) read(from io.Reader, out io.Writer) error {
	lines := bufio.NewReader(from)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			s.line(line, out)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read test events: %w", err)
		}
	}
}

func (s *summary) line(line string, out io.Writer) {
	var e event
	if !strings.HasPrefix(line, "{") || json.Unmarshal([]byte(line), &e) != nil {
		fmt.Fprint(out, line)
		return
	}
	id := testID{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		fmt.Fprint(out, e.Output)
	case "output":
		s.keep(id, e.Output)
	case "pass", "fail", "skip":
		s.end(id, e, out)
	}
}

func (s *summary) keep(id testID, text string) {
	if s.output[id] == nil {
		s.output[id] = &strings.Builder{}
	}
	s.output[id].WriteString(text)
}

func (s *summary) end(id testID, e event, out io.Writer) {
	text := ""
	if b := s.output[id]; b != nil {
		text = b.String()
	}
	delete(s.output, id)
	if id.test == "" {
		s.endPackage(id, e, text, out)
		return
	}
	switch e.Action {
	case "pass":
		s.passed++
	case "skip":
		s.skips = append(s.skips, skip{id, reason(text)})
	case "fail":
		s.fail("FAILED", id, text, out)
	}
}

func (s *summary) fail(word string, id testID, text string, out io.Writer) {
	s.failed++
	s.failedIn[id.pkg]++
	fmt.Fprintf(out, "\n%s: %s %s\n%s\n", word, id.pkg, id.test, strings.TrimRight(progress.ReplaceAllString(text, ""), "\n"))
}

// endPackage prints one line per package. A package that fails without a test
// of its own failing (it does not build, its set-up fails) counts as a failure;
// so does each test that had no end when the package ended (a panic, a timeout).
func (s *summary) endPackage(id testID, e event, text string, out io.Writer) {
	if e.Action == "skip" {
		return // has no tests
	}
	word := "ok    "
	if e.Action == "fail" {
		word = "FAILED"
		for left, b := range s.output {
			if left.pkg == id.pkg {
				s.fail("NOT ENDED", left, b.String(), out)
				delete(s.output, left)
			}
		}
		if s.failedIn[id.pkg] == 0 {
			s.fail("FAILED", id, text, out)
		}
	}
	fmt.Fprintf(out, "%s %s (%.1fs)\n", word, id.pkg, e.Elapsed)
}

// progress is what the test binary prints when tests start, pause and go on.
var progress = regexp.MustCompile(`(?m)^\s*=== (RUN|PAUSE|CONT|NAME) .*$\n?`)

// skipNoise is what the test binary prints around the reason of a skip.
var skipNoise = regexp.MustCompile(`(?m)^\s*(=== .*|--- SKIP: .*)$\n?`)

var skipPlace = regexp.MustCompile(`^\s*[\w.-]+\.go:\d+: `)

func reason(output string) string {
	text := strings.TrimSpace(skipNoise.ReplaceAllString(output, ""))
	text = skipPlace.ReplaceAllString(text, "")
	if text == "" {
		return "no reason given"
	}
	return strings.Join(strings.Fields(text), " ")
}

// print writes the skips and the last line, and returns how many skips no one
// expects. A subtest is expected when its test is.
func (s *summary) print(out io.Writer, expected map[testID]string) (unexpected int) {
	fmt.Fprintln(out)
	for _, skip := range s.skips {
		word := "skipped"
		if !allowed(expected, skip.testID) {
			word = "UNEXPECTED SKIP"
			unexpected++
		}
		fmt.Fprintf(out, "%s: %s %s: %s\n", word, skip.pkg, skip.test, skip.reason)
	}
	if unexpected > 0 {
		fmt.Fprintln(out, "Make the test run, or name it in .ci/expected-skips with the reason.")
	}
	fmt.Fprintf(out, "%d passed, %d failed, %d skipped\n", s.passed, s.failed, len(s.skips))
	return unexpected
}

func allowed(expected map[testID]string, id testID) bool {
	for {
		if expected[id] != "" {
			return true
		}
		i := strings.LastIndexByte(id.test, '/')
		if i < 0 {
			return false
		}
		id.test = id.test[:i]
	}
}
