package bench

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/metapipe/metapipe/pkg/engine/terraform/planjson"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/render"
)

// rendered is one way from plan JSON to comment.
type rendered struct {
	megabytes             float64
	decode, read, comment time.Duration
}

func (r rendered) perMB(d time.Duration) float64 { return milliseconds(d) / r.megabytes }

// rendering reads large plan JSON and writes the comment.
func (b *bench) rendering(t *testing.T) {
	small, large := b.render(t, 10_000, 5), b.render(t, 100_000, 3)
	for _, at := range []struct {
		changes string
		rendered
	}{{"10,000", small}, {"100,000", large}} {
		b.add(t, row{name: fmt.Sprintf("plan JSON of %s changes: read / decode into any", at.changes), measured: float64(at.read) / float64(at.decode), aim: 1.5, limit: 2, unit: "×"})
		b.add(t, row{name: "  size", measured: at.megabytes, unit: "MB"})
		b.add(t, row{name: "  read", measured: at.perMB(at.read), unit: "ms/MB"})
		b.add(t, row{name: "  comment", measured: milliseconds(at.comment), unit: "ms"})
	}
	growth := float64(large.read+large.comment) / float64(small.read+small.comment)
	b.add(t, row{name: "read and render 100,000 / 10,000 changes", measured: growth, aim: 11, limit: 12, unit: "×"})
}

func (b *bench) render(t *testing.T, changes, times int) rendered {
	t.Helper()
	file := filepath.Join(b.dir, fmt.Sprintf("plan-%d.json", changes))
	dangers := writePlanJSON(t, file, changes)
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	r := rendered{megabytes: float64(info.Size()) / 1e6}
	var decode, read, comment []time.Duration
	for range times {
		decode = append(decode, timed(func() {
			var anything any
			if err := json.NewDecoder(open(t, file)).Decode(&anything); err != nil {
				t.Fatal(err)
			}
		}))
		var plan pipeline.Plan
		read = append(read, timed(func() {
			if plan, _, err = planjson.ReadPlan(open(t, file), planjson.ReadOptions{}); err != nil {
				t.Fatal(err)
			}
		}))
		var text string
		rep := pipeline.Report{
			Request: pipeline.Request{ID: "00000000-0000-4000-8000-000000000000", Customer: "acme", Targets: []pipeline.RequestTarget{{Target: pipeline.Target{Customer: "acme", Environment: "staging"}}}},
			Targets: []pipeline.TargetReport{{Target: pipeline.Target{Customer: "acme", Environment: "staging"}, Outcome: pipeline.OutcomeWaiting, Applies: true, Plan: &plan, RunURL: "https://github.example/run/1"}},
		}
		comment = append(comment, timed(func() { text = render.Renderer{}.Comment(rep) }))
		checkComment(t, text, dangers)
	}
	r.decode, r.read, r.comment = median(decode), median(read), median(comment)
	if err := os.Remove(file); err != nil {
		t.Error(err)
	}
	return r
}

// timed starts with an empty heap, so that no one pays for the garbage of others.
func timed(work func()) time.Duration {
	runtime.GC()
	began := time.Now()
	work()
	return time.Since(began)
}

func open(t *testing.T, name string) *bufio.Reader {
	t.Helper()
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	})
	return bufio.NewReaderSize(file, 256<<10)
}

// noRoom is how the comment counts the dangers that it cannot list.
var noRoom = regexp.MustCompile(`and more that found no room here: (.*)\*\*; see the`)

var dangerCount = regexp.MustCompile(`([0-9]+) to (?:destroy|replace)`)

// checkComment holds the comment to GitHub's limit, and finds every destroy and
// replace in it: by its address, or in the count of those that found no room.
func checkComment(t *testing.T, text string, dangers []string) {
	t.Helper()
	encoded, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	if n := utf8.RuneCountInString(text); n > render.DefaultCommentChars || len(encoded) > 65_536 {
		t.Errorf("the comment has %d characters, %d bytes encoded", n, len(encoded))
	}
	seen := 0
	for _, address := range dangers {
		if strings.Contains(text, address) {
			seen++
		}
	}
	counted := 0
	if printed := noRoom.FindStringSubmatch(text); printed != nil {
		for _, n := range dangerCount.FindAllStringSubmatch(printed[1], -1) {
			count, err := strconv.Atoi(n[1])
			if err != nil {
				t.Fatal(err)
			}
			counted += count
		}
	}
	if seen == 0 || seen+counted != len(dangers) {
		t.Errorf("of %d destroys and replaces the comment shows %d and counts %d", len(dangers), seen, counted)
	}
}

// writePlanJSON writes a plan as a tool would show it: what is planned, the
// changes and the state before, a tenth with sensitive values. One change in a
// hundred destroys and one replaces; it returns the addresses of both.
func writePlanJSON(t *testing.T, name string, changes int) (dangers []string) {
	t.Helper()
	var w bytes.Buffer
	list := func(head, tail string, each func(i int) string) {
		w.WriteString(head)
		for i := range changes {
			if i > 0 {
				w.WriteByte(',')
			}
			w.WriteString(each(i))
		}
		w.WriteString(tail)
	}
	list(`{"format_version":"1.2","terraform_version":"1.11.4","planned_values":{"root_module":{"child_modules":[{"resources":[`, `]}]}}`,
		func(i int) string { return stateJSON(i, "large") })
	list(`,"resource_changes":[`, `]`, func(i int) string {
		text, danger := changeJSON(i)
		if danger != "" {
			dangers = append(dangers, danger)
		}
		return text
	})
	list(`,"prior_state":{"format_version":"1.0","values":{"root_module":{"child_modules":[{"resources":[`, `]}]}}},"complete":true,"errored":false}`,
		func(i int) string { return stateJSON(i, "small") })
	if err := os.WriteFile(name, w.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return dangers
}

func valuesJSON(i int, size string) string {
	return fmt.Sprintf(`{"id":"i-%08d","name":"server-%d","size":%q,"tags":{"env":"staging","owner":"team-%d"},"ports":[22,443,%d],"network":[{"subnet":"subnet-%d","public":false,"address":"10.0.%d.%d"}],"password":"secret-of-%d"}`,
		i, i, size, i%7, 8000+i%100, i%16, i/256%256, i%256, i)
}

func marksJSON(i int) string {
	if i%10 == 0 {
		return `{"password":true,"tags":{},"ports":[false,false,false],"network":[{}]}`
	}
	return `{"tags":{},"ports":[false,false,false],"network":[{}]}`
}

func stateJSON(i int, size string) string {
	return fmt.Sprintf(`{"address":"module.m.example_server.s[%d]","mode":"managed","type":"example_server","name":"s","index":%d,"provider_name":"example","schema_version":1,"values":%s,"sensitive_values":%s}`,
		i, i, valuesJSON(i, size), marksJSON(i))
}

// changeJSON is one change, and its address when it destroys or replaces.
func changeJSON(i int) (text, danger string) {
	address := fmt.Sprintf("module.m.example_server.s[%d]", i)
	actions, after, more := `["update"]`, valuesJSON(i, "large"), ""
	switch i % 100 {
	case 17:
		actions, after, danger = `["delete"]`, "null", address
	case 61:
		actions, more, danger = `["delete","create"]`, `,"replace_paths":[["size"]]`, address
	}
	return fmt.Sprintf(`{"address":%q,"module_address":"module.m","mode":"managed","type":"example_server","name":"s","index":%d,"provider_name":"example","change":{"actions":%s,"before":%s,"after":%s,"after_unknown":{"tags":{},"ports":[false,false,false],"network":[{}]},"before_sensitive":%s,"after_sensitive":%s%s}}`,
		address, i, actions, valuesJSON(i, "small"), after, marksJSON(i), marksJSON(i), more), danger
}
