package rehearsal

import (
	"fmt"
	"maps"
	"slices"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/rehearsal/runner"
)

// countCalls adds up what a step used its tokens for: that of its job, and those that it had under the name of a
// secret.
func (st *stage) countCalls(s *runner.Step, command string) {
	values := slices.Collect(maps.Values(s.Env))
	if command == "" {
		command = "step"
	}
	st.count(s.Job.Name+": "+command, func(t *countedToken) bool {
		return t.job == s.Job.Path || t.job == "" && slices.Contains(values, t.Secret)
	})
}

// countRest adds up what nobody has counted, so that no call is missing.
func (st *stage) countRest() { st.count("other", func(*countedToken) bool { return true }) }

func (st *stage) count(who string, of func(*countedToken) bool) {
	st.mu.Lock()
	defer st.mu.Unlock()
	c := stepCalls{Step: fmt.Sprintf("%s run %d, %s", st.run.who, st.run.Record.Number, who), Calls: []hub.Call{}}
	all := st.setup.hub.Calls()
	for _, t := range st.tokens {
		if !of(t) {
			continue
		}
		used := 0
		for _, call := range all {
			if call.Token != t.Name {
				continue
			}
			if used++; used <= t.seen {
				continue
			}
			c.Calls = append(c.Calls, call)
			if call.Write() {
				c.Writes++
			} else {
				c.Reads++
			}
		}
		t.seen = max(t.seen, used)
	}
	if who == "other" && len(c.Calls) == 0 {
		return
	}
	st.rehearsal.mu.Lock()
	defer st.rehearsal.mu.Unlock()
	st.calls = append(st.calls, c)
}
