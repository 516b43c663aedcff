package pipeline

import (
	"testing"
	"time"
)

// TestLookSeesEveryEffect: whatever a plan may do is found by a scan and counted.
func TestLookSeesEveryEffect(t *testing.T) {
	t.Parallel()
	change := ResourceChange{Address: "a.b", Action: ActionUpdate}
	stop := Invocation{Address: "action.stop.db", Resource: "a.b"}
	rule := []IgnoreRule{{Address: "a.b", Until: time.Unix(1<<40, 0)}}
	for name, c := range map[string]struct {
		plan  Plan
		rules []IgnoreRule
		rest  bool
		want  Counts
	}{
		"an action by itself":       {Plan{Invocations: []Invocation{{Address: "action.stop.db"}}}, nil, true, Counts{Invoke: 1}},
		"an action with its change": {Plan{Changes: []ResourceChange{change}, Invocations: []Invocation{stop}}, nil, true, Counts{Update: 1, Invoke: 1}},
		"an action that is ignored": {Plan{Changes: []ResourceChange{change}, Invocations: []Invocation{stop}}, rule, false, Counts{}},
		"what is not known":         {Plan{Unknown: []string{"x"}, Unexplained: true}, nil, true, Counts{}},
		"what is put off":           {Plan{Deferred: []ResourceChange{change}}, nil, true, Counts{}},
		"an import by identity":     {Plan{Changes: []ResourceChange{{Address: "a.c", Action: ActionNone, Imports: true}}}, nil, true, Counts{Import: 1}},
		"an object that is kept":    {Plan{Changes: []ResourceChange{{Address: "a.c", Action: ActionReplace, KeepsOld: true}}}, nil, true, Counts{Replace: 1, Forget: 1}},
		"an action from tomorrow":   {Plan{Changes: []ResourceChange{{Address: "a.c", Action: "freeze"}}}, nil, true, Counts{Other: 1}},
	} {
		got, err := inspect(Planned{Plan: c.plan}, c.rules, time.Unix(0, 0), testMAC)
		if err != nil || got.otherChanges != c.rest || got.plan.Counts != c.want || (got.fingerprint != "") != c.rest {
			t.Errorf("%s: rest %v, counts %+v, fingerprint %q, %v", name, got.otherChanges, got.plan.Counts, got.fingerprint, err)
		}
	}
}
