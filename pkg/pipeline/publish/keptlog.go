package publish

import (
	"fmt"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// logHint says where the log of a target is that went wrong, for the log of the manager:
// customers cannot read it. It is empty where there is none.
func (t *target) logHint(request pipeline.Request) string {
	kept := slices.ContainsFunc(t.folder.Objects, func(object string) bool { return strings.HasSuffix(object, record.LogSuffix) })
	if !kept || t.Outcome != pipeline.OutcomeFailed && t.Outcome != pipeline.OutcomeCancelled {
		return ""
	}
	return fmt.Sprintf("%s/%s: its log is shown by `metapipe state show --customer %s --environment %s --request %s --log`", request.Customer, t.Environment, request.Customer, t.Environment, request.ID)
}
