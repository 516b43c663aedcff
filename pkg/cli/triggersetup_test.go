package cli

import (
	"errors"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/intake"
)

// TestSetupOf: only an end that was seen, with each target in order, is ready.
func TestSetupOf(t *testing.T) {
	t.Parallel()
	good := []intake.TargetStatus{{Name: "staging/network", State: pipeline.StatusSuccess}, {Name: "staging/hosts", State: pipeline.StatusSuccess}}
	const both = `{"staging/hosts":"ready","staging/network":"ready"}`
	for name, c := range map[string]struct {
		result         intake.TriggerResult
		err            error
		ready, targets string
	}{
		"applied":                     {intake.TriggerResult{Outcome: pipeline.OutcomeApplied, Targets: good}, nil, "true", both},
		"no changes":                  {intake.TriggerResult{Outcome: pipeline.OutcomeNoChanges, Targets: good}, nil, "true", both},
		"planned":                     {intake.TriggerResult{Outcome: pipeline.OutcomePlanned, Targets: good}, nil, "true", both},
		"a push that is only planned": {intake.TriggerResult{Outcome: pipeline.OutcomePlanned, Targets: []intake.TargetStatus{{Name: "staging", State: pipeline.StatusSuccess, Waits: true}}}, nil, "false", `{"staging":"waiting"}`},
		"one of two is only planned": {intake.TriggerResult{Outcome: pipeline.OutcomeApplied, Targets: []intake.TargetStatus{{Name: "staging", State: pipeline.StatusSuccess}, {Name: "production", State: pipeline.StatusSuccess, Waits: true}}},
			nil, "false", `{"production":"waiting","staging":"ready"}`},
		"nothing to do":    {intake.TriggerResult{Outcome: pipeline.OutcomeNoChanges, Skipped: "no change"}, nil, "true", `{}`},
		"content is wrong": {intake.TriggerResult{Outcome: pipeline.OutcomeNoChanges, Skipped: "no change"}, errors.New("x"), "false", `{}`},
		"a fork":           {intake.TriggerResult{Skipped: "a fork"}, nil, "", `{}`},
		"not sent":         {intake.TriggerResult{}, errors.New("x"), "false", `{}`},
		"only picked up":   {intake.TriggerResult{Outcome: pipeline.OutcomeRequested, Targets: []intake.TargetStatus{{Name: "staging", State: pipeline.StatusPending}}}, nil, "false", `{"staging":"waiting"}`},
		"failed": {intake.TriggerResult{Outcome: pipeline.OutcomeFailed, Targets: []intake.TargetStatus{{Name: "staging", State: pipeline.StatusFailure}, {Name: "production", State: pipeline.StatusError}}},
			&pipeline.FailedError{}, "false", `{"production":"failed","staging":"failed"}`},
		"a status that does not fit": {intake.TriggerResult{Outcome: pipeline.OutcomeApplied, Targets: []intake.TargetStatus{{Name: "staging", State: "odd"}}}, nil, "false", `{"staging":"failed"}`},
		"the outputs are unreadable": {intake.TriggerResult{Outcome: pipeline.OutcomeNoChanges, Targets: good}, errors.New("x"), "false", both},
	} {
		if ready, targets, err := setupOf(c.result, c.err); err != nil || ready != c.ready || targets != c.targets {
			t.Errorf("%s: %q %s, %v", name, ready, targets, err)
		}
	}
}
