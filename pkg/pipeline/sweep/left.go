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
	for _, c := range s.Registered {
		left, err := registry.LeftTargets(ctx, record.Records{Store: s.Store}, []pipeline.Customer{c})
		if err != nil {
			findings = append(findings, Finding{Kind: FindingUnreadable, Customer: c.Name, Message: "its environments could not be looked for", Error: err.Error()})
		}
		for _, t := range left {
			findings = append(findings, Finding{Kind: FindingLeft, Customer: t.Customer, Environment: t.Environment,
				Message: "it is applied, and " + c.LeftEnvironment(t.Environment), Next: pipeline.LeftEnvironmentNext})
		}
	}
	return findings
}
