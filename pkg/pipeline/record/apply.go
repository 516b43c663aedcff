package record

import (
	"fmt"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Refusal says why a plan may not be applied after this use of it; nil when it may.
func (u ApplyAttempt) Refusal(in pipeline.TargetInput, mode pipeline.Mode) error {
	switch {
	case u.Free():
		return nil
	case u.Result != nil && u.Result.Reason != "":
		return &pipeline.RefusedError{Reason: u.Result.Reason, Message: u.Result.Message, Next: u.Result.Next, Detail: u.Result.Detail, Operator: u.Result.Operator}
	}
	return &pipeline.RefusedError{Reason: pipeline.ReasonAlreadyApplied, Message: fmt.Sprintf("the plan of request %s for %s/%s was used before", in.Request.Short(), in.Customer.Name, in.Environment),
		Next: mode.Afresh(), Operator: mode.Restart()}
}
