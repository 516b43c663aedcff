package rehearsal

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/rehearsal/runner"
	"github.com/metapipe/metapipe/pkg/rehearsal/story"
)

// The exit codes of the commands that the story distinguishes.
const (
	exitDone      = 0
	exitRejected  = 3
	exitRefused   = 4
	exitWaiting   = 5
	exitCancelled = 130
)

// answerOf says in a few words what came back from a step.
func answerOf(r stepResult) (story.Mark, string) {
	switch r.exit {
	case exitDone:
		return story.Done, doneAnswer(r)
	case exitRejected:
		return story.Stopped, withReason("rejected", r)
	case exitRefused:
		return story.Failed, withReason("refused", r)
	case exitWaiting:
		return story.Waiting, "still waiting"
	case exitCancelled:
		return story.Stopped, "cancelled"
	}
	return story.Failed, withReason(fmt.Sprintf("failed (exit code %d)", r.exit), r)
}

func withReason(text string, r stepResult) string {
	if reason := r.outputs["reason"]; reason != "" {
		return text + ": " + reason
	}
	return text
}

func doneAnswer(r stepResult) string {
	outcome := r.outputs["outcome"]
	switch r.command {
	case "trigger":
		if skipped := r.outputs["skipped"]; skipped != "" {
			return skipped
		}
	case "fetch-vars":
		return "accepted: " + strings.Join(listOf(r.outputs["targets"]), ", ")
	case "plan":
		switch outcome {
		case string(pipeline.OutcomeNoChanges):
			return "no changes"
		case string(pipeline.OutcomeDeferred):
			return "not known yet: it depends on outputs of another stack"
		}
		return counted(r.outputs)
	case "report":
		if outcome == "" {
			return "nothing to report"
		}
		return "reported to the customer: " + outcome
	}
	return outcome
}

// counted is the size of a plan, in the words of Terraform.
func counted(outputs map[string]string) string {
	var parts []string
	for _, n := range []struct{ name, verb string }{{"create", "create"}, {"update", "update"}, {"replace", "replace"}, {"delete", "destroy"}} {
		if v := outputs[n.name]; v != "" && v != "0" {
			parts = append(parts, v+" to "+n.verb)
		}
	}
	if len(parts) == 0 {
		return "only outputs change"
	}
	return strings.Join(parts, ", ")
}

// listOf reads an output that is a JSON array of names; anything else is empty.
func listOf(text string) []string {
	var out []string
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		return nil
	}
	return out
}

// stepResult is what a step left behind.
type stepResult struct {
	command     string
	target      string // that its job works on
	exit        int
	outputs     map[string]string
	annotations []runner.Annotation
	summary     string // masked
	event       *event
}

// outputsOf reads the outputs in the payload of a deployment as name and value.
// A payload may come as an object or as the text of one.
func outputsOf(payload json.RawMessage) [][2]string {
	var text string
	if json.Unmarshal(payload, &text) == nil {
		payload = json.RawMessage(text)
	}
	var p pipeline.DeploymentPayload
	if err := json.Unmarshal(payload, &p); err != nil {
		return nil
	}
	var out [][2]string
	for _, name := range slices.Sorted(maps.Keys(p.Outputs)) {
		out = append(out, [2]string{name, p.Outputs[name]})
	}
	return out
}
