package drift

import (
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// TestLookSeesEveryEffect: whatever a plan may do is found by a scan and counted.
func TestLookSeesEveryEffect(t *testing.T) {
	t.Parallel()
	change := pipeline.ResourceChange{Address: "a.b", Action: pipeline.ActionUpdate}
	stop := pipeline.Invocation{Address: "action.stop.db", Resource: "a.b"}
	rule := []pipeline.IgnoreRule{{Address: "a.b", Exception: pipeline.Exception{Until: time.Unix(1<<40, 0)}}}
	for name, c := range map[string]struct {
		plan  pipeline.Plan
		rules []pipeline.IgnoreRule
		rest  bool
		want  pipeline.Counts
	}{
		"an action by itself":       {pipeline.Plan{Invocations: []pipeline.Invocation{{Address: "action.stop.db"}}}, nil, true, pipeline.Counts{Invoke: 1}},
		"an action with its change": {pipeline.Plan{Changes: []pipeline.ResourceChange{change}, Invocations: []pipeline.Invocation{stop}}, nil, true, pipeline.Counts{Update: 1, Invoke: 1}},
		"an action that is ignored": {pipeline.Plan{Changes: []pipeline.ResourceChange{change}, Invocations: []pipeline.Invocation{stop}}, rule, false, pipeline.Counts{}},
		"what is not known":         {pipeline.Plan{Unknown: []string{"x"}, Unexplained: true}, nil, true, pipeline.Counts{}},
		"what is put off":           {pipeline.Plan{Deferred: []pipeline.ResourceChange{change}}, nil, true, pipeline.Counts{}},
		"an import by identity":     {pipeline.Plan{Changes: []pipeline.ResourceChange{{Address: "a.c", Action: pipeline.ActionNone, Imports: true}}}, nil, true, pipeline.Counts{Import: 1}},
		"an object that is kept":    {pipeline.Plan{Changes: []pipeline.ResourceChange{{Address: "a.c", Action: pipeline.ActionReplace, KeepsOld: true}}}, nil, true, pipeline.Counts{Replace: 1, Forget: 1}},
		"an action from tomorrow":   {pipeline.Plan{Changes: []pipeline.ResourceChange{{Address: "a.c", Action: "freeze"}}}, nil, true, pipeline.Counts{Other: 1}},
	} {
		got, err := inspect(pipeline.Planned{Plan: c.plan}, c.rules, time.Unix(0, 0), testMAC)
		if err != nil || got.otherChanges != c.rest || got.plan.Counts != c.want || (got.fingerprint != "") != c.rest {
			t.Errorf("%s: rest %v, counts %+v, fingerprint %q, %v", name, got.otherChanges, got.plan.Counts, got.fingerprint, err)
		}
	}
}
