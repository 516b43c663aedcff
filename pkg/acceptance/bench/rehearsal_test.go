package bench

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
)

// rehearsal plays the whole flow of the examples, as `make demo` does, and
// counts what one request asks of GitHub.
func (b *bench) rehearsal(t *testing.T) {
	examples, err := filepath.Abs(filepath.Join(fixture.RepoRoot, "examples"))
	if err != nil {
		t.Fatal(err)
	}
	customer := filepath.Join(examples, "customer")
	out := filepath.Join(b.dir, "rehearsal")
	took := b.run(t, b.dir, nil, b.metapipe, "rehearse", "--manager-dir", filepath.Join(examples, "manager"), "--customer-dir", customer,
		"--proposal", filepath.Join(customer, ".rehearsal", "variables.yml"), "--approve", "yes", "--out", out)
	b.add(t, row{name: "make demo, warm", measured: took.Seconds(), aim: 30, limit: 60, unit: "s"})
	b.countCalls(t, filepath.Join(out, "requests.json"))
}

// stepCalls is one step in requests.json, as "customer run 2, trigger: trigger".
type stepCalls struct {
	Step  string
	Calls []struct{ Method, Path, Query string }
}

func (s stepCalls) run() string {
	run, _, _ := strings.Cut(s.Step, ",")
	_, number, _ := strings.Cut(run, " ")
	return number
}

func (s stepCalls) command() string { return s.Step[strings.LastIndex(s.Step, ": ")+2:] }

// count returns how many calls the step made, without the polls of a job that
// waits: those go on as long as the request does.
func (s stepCalls) count() (calls, writes, polls int) {
	seen := map[string]bool{}
	for _, c := range s.Calls {
		key := c.Path + "?" + c.Query
		switch {
		case c.Method != "GET":
			writes++
		case s.command() == "trigger" && seen[key]:
			polls++
			continue
		}
		seen[key] = true
		calls++
	}
	return calls, writes, polls
}

// The calls of one request that deploys one customer to two environments, the second behind
// a gate: a push, and the merge of a pull request, whose comment is kept as well. The limits
// are the counts at the time of writing: more than that has to be a decision.
var callBudgets = []struct {
	name   string
	merged bool // the request writes the comment of a pull request
	limits map[string]float64
}{
	{"a push", false, map[string]float64{"trigger": 5, "fetch-vars": 9, "plan": 0, "apply": 2, "report": 23}},
	{"the merge of a pull request", true, map[string]float64{"trigger": 6, "fetch-vars": 9, "plan": 0, "apply": 2, "report": 33}},
}

func (b *bench) countCalls(t *testing.T, file string) {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var log struct{ Steps []stepCalls }
	if err := json.Unmarshal(raw, &log); err != nil {
		t.Fatal(err)
	}
	for _, budget := range callBudgets {
		run := deployment(log.Steps, budget.merged)
		if run == "" {
			t.Fatalf("%s says nothing about a request with an apply, for %s", file, budget.name)
		}
		counts := map[string]int{}
		total, polls, limit := 0, 0, 0.0
		for _, s := range log.Steps {
			if s.run() == run {
				calls, _, waited := s.count()
				counts[s.command()] += calls
				total, polls = total+calls, polls+waited
			}
		}
		for _, command := range []string{"trigger", "fetch-vars", "plan", "apply", "report"} {
			most, unit := budget.limits[command], "calls"
			if limit += most; most == 0 {
				unit = "must be 0"
			}
			b.add(t, row{name: "GitHub calls of " + budget.name + ": " + command, measured: float64(counts[command]), aim: most, limit: most, unit: unit})
		}
		b.add(t, row{name: "  all together", measured: float64(total), aim: limit, limit: limit, unit: "calls"})
		b.add(t, row{name: "  polls of the waiting trigger, beside them", measured: float64(polls), unit: "calls"})
	}
}

// deployment is the first run with an apply that writes a comment, or that writes none.
func deployment(steps []stepCalls, commented bool) string {
	applies, comments := []string{}, map[string]bool{}
	for _, s := range steps {
		if s.command() == "apply" && !slices.Contains(applies, s.run()) {
			applies = append(applies, s.run())
		}
		for _, c := range s.Calls {
			comments[s.run()] = comments[s.run()] || strings.Contains(c.Path, "/comments")
		}
	}
	for _, run := range applies {
		if comments[run] == commented {
			return run
		}
	}
	return ""
}
