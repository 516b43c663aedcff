package bench

import (
	"encoding/json"
	"os"
	"path/filepath"
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

// The calls of one request that deploys one customer to two environments, the
// second behind a gate. The aims are the counts at the time of writing: more
// than that has to be a decision.
var callBudget = []struct {
	command    string
	aim, limit float64
}{
	{"trigger", 5, 6},
	{"fetch-vars", 11, 12},
	{"plan", 0, 0},
	{"apply", 2, 2},
	{"report", 24, 26}, // of these 4 tell that an apply begins
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
	request := ""
	for _, s := range log.Steps {
		if s.command() == "apply" && request == "" {
			request = s.run()
		}
	}
	counts := map[string]int{}
	total, polls, rerun := 0, 0, 0
	for _, s := range log.Steps {
		if s.run() != request {
			continue
		}
		calls, writes, waited := s.count()
		counts[s.command()] += calls
		total, polls = total+calls, polls+waited
		// The last report of a run comes right after another one: nothing is new.
		if strings.Contains(s.Step, "finish: report") {
			rerun = writes
		}
	}
	if request == "" || total == 0 {
		t.Fatalf("%s tells of no request with an apply", file)
	}
	var aim, limit float64
	for _, budget := range callBudget {
		aim, limit = aim+budget.aim, limit+budget.limit
		unit := "calls"
		if budget.limit == 0 {
			unit = "must be 0"
		}
		b.add(t, row{name: "GitHub calls of a request: " + budget.command, measured: float64(counts[budget.command]), aim: budget.aim, limit: budget.limit, unit: unit})
	}
	b.add(t, row{name: "  all together", measured: float64(total), aim: aim, limit: limit, unit: "calls"})
	b.add(t, row{name: "  polls of the waiting trigger, beside them", measured: float64(polls), unit: "calls"})
	b.add(t, row{name: "  writes of a report that is repeated", measured: float64(rerun), unit: "must be 0"})
}
