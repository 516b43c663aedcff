package runner

import (
	"fmt"

	"github.com/rhysd/actionlint"
)

// dispatchInputs is the context inputs of a run that was started by hand.
func dispatchInputs(w *Workflow, e Event) (map[string]any, error) {
	out := map[string]any{}
	for _, on := range w.On {
		dispatch, ok := on.(*actionlint.WorkflowDispatchEvent)
		if !ok || e.Name != "workflow_dispatch" {
			continue
		}
		given, _ := e.Payload["inputs"].(map[string]any)
		for _, name := range sorted(dispatch.Inputs) {
			input := dispatch.Inputs[name]
			v := property(given, name)
			if v == nil && input.Default != nil {
				v = input.Default.Value
			}
			if v == nil && input.Required != nil && input.Required.Value {
				return nil, &FileError{w.File, input.Name.Pos.Line, fmt.Sprintf("the input %q is required", input.Name.Value)}
			}
			kind := actionlint.WorkflowCallEventInputTypeString
			switch input.Type {
			case actionlint.WorkflowDispatchEventInputTypeBoolean:
				kind = actionlint.WorkflowCallEventInputTypeBoolean
			case actionlint.WorkflowDispatchEventInputTypeNumber:
				kind = actionlint.WorkflowCallEventInputTypeNumber
			}
			out[input.Name.Value] = typed(v, kind)
		}
	}
	return out, nil
}

// callInputs is the context inputs of a workflow that a job calls.
func (f *frame) callInputs(call *actionlint.WorkflowCall, event *actionlint.WorkflowCallEvent, s scope) (map[string]any, error) {
	out := map[string]any{}
	for _, input := range event.Inputs {
		given := call.Inputs[input.ID]
		switch {
		case given != nil:
			v, err := s.at("jobs.<job_id>.with.<with_id>").value(given.Value.Value)
			if err != nil {
				return nil, f.wrong(given.Value.Pos, err)
			}
			out[input.Name.Value] = typed(v, input.Type)
		case input.Default != nil:
			v, err := s.at("on.workflow_call.inputs.<inputs_id>.default").value(input.Default.Value)
			if err != nil {
				return nil, f.wrong(input.Default.Pos, err)
			}
			out[input.Name.Value] = typed(v, input.Type)
		default:
			out[input.Name.Value] = typed(nil, input.Type)
		}
	}
	return out, nil
}

// typed turns a value into one of the type of an input.
func typed(v any, kind actionlint.WorkflowCallEventInputType) any {
	switch kind {
	case actionlint.WorkflowCallEventInputTypeBoolean:
		if text, ok := v.(string); ok {
			return text == "true"
		}
		return truthy(v)
	case actionlint.WorkflowCallEventInputTypeNumber:
		return toNumber(v)
	}
	return format(v)
}
