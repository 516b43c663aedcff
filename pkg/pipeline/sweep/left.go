package sweep

import (
	"context"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/pipeline/registry"
)

// left finds the applied targets in environments that their customers may not use any more.
// The sweep opens no record of an apply, so the ledgers say what was ended.
func (s *Sweeper) left(ctx context.Context) []Finding {
	var findings []Finding
	for _, left := range registry.LeftTargets(ctx, record.Records{Store: s.Store}, s.Registered) {
		c := left.Customer
		if left.Err != nil {
			findings = append(findings, Finding{Kind: FindingUnreadable, Customer: c.Name, Message: "its environments could not be looked for", Error: left.Err.Error()})
		}
		for _, t := range left.Targets {
			findings = append(findings, Finding{Kind: FindingLeft, Customer: t.Customer, Environment: t.Environment, Stack: t.Stack,
				Message: pipeline.LeftMessage("it", c.WhyLeft(t)), Next: pipeline.LeftNext})
		}
	}
	return findings
}
