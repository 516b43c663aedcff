package cli

import (
	"encoding/json"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/intake"
)

// The states of a target in the output setup.
const (
	setupReady   = "ready"
	setupWaiting = "waiting"
	setupFailed  = "failed"
)

// setupOf says whether a later job may rely on the infrastructure: ready is "true" where all
// that the change asks for ended well, and "false" where something failed, its end was
// not seen, or a push was only planned and has changes. It is empty where nothing was asked, so
// that nothing is known, such as for a fork. targets is a JSON object from the name of each target to its state.
func setupOf(r intake.TriggerResult, cause error) (ready, targets string, err error) {
	states := map[string]string{}
	for _, t := range r.Targets {
		switch {
		case t.State == pipeline.StatusPending, t.State == pipeline.StatusSuccess && t.Waits:
			states[t.Name] = setupWaiting
		case t.State == pipeline.StatusSuccess:
			states[t.Name] = setupReady
		default:
			states[t.Name] = setupFailed
		}
	}
	text, err := json.Marshal(states)
	if err != nil {
		return "", "", err
	}
	ready = "false"
	switch r.Outcome {
	case pipeline.OutcomeApplied, pipeline.OutcomeNoChanges, pipeline.OutcomePlanned:
		if cause == nil {
			ready = "true"
		}
	case "":
		if cause == nil {
			ready = ""
		}
	}
	for _, state := range states {
		if state != setupReady && ready == "true" {
			ready = "false"
		}
	}
	return ready, string(text), nil
}
