package cli

import (
	"context"
	"fmt"

	"github.com/metapipe/metapipe/pkg/github"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/compliance"
	"github.com/metapipe/metapipe/pkg/pipeline/issues"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/render"
)

// complianceIssues brings issues in line with the report.
func (m *manager) complianceIssues(ctx context.Context, o complianceOptions, client *github.Client, r compliance.Report) error {
	outcomes, err := m.writeComplianceIssues(ctx, o, client, r)
	failed := 0
	for _, out := range outcomes {
		if out.Action != issues.Unchanged {
			m.app.logf("%s", complianceIssueLine(out))
		}
		if out.Action == issues.Failed {
			failed++
		}
	}
	if failed > 0 && err == nil {
		err = &pipeline.FailedError{Message: fmt.Sprintf("not all issues could be brought up to date (%d were not)", failed), Next: "the lines above say why; the next run tries again"}
	}
	return err
}

func (m *manager) writeComplianceIssues(ctx context.Context, o complianceOptions, client *github.Client, r compliance.Report) (outcomes []issues.Outcome, err error) {
	issuer := compliance.Issuer{Records: record.Records{Store: m.store, Sealer: m.sealer}, Manager: m.slug(ctx), Now: m.app.Now,
		Body: render.ComplianceIssue, CustomerBody: render.ComplianceCustomerIssue}
	if o.issue && issuer.Manager == localManager {
		return nil, pipeline.Usagef("no repository of the manager is known, so there is no place for an issue").Nextf("run this in Actions, or in a checkout whose remote origin is on GitHub")
	}
	if o.issue {
		own, err := m.github.client(envOwnToken)
		if err != nil {
			return nil, err
		}
		repo, err := own.Repository(ctx, issuer.Manager)
		if err != nil {
			return nil, fmt.Errorf("look up the manager: %w", err)
		}
		if outcomes, err = issuer.Fleet(ctx, own, runName(m.run()), r, repo); err != nil {
			return outcomes, err
		}
	}
	if o.customerIssues > 0 {
		var more []issues.Outcome
		more, err = issuer.Customers(ctx, client, runName(m.run()), r, m.activeCustomers(), o.customerIssues)
		outcomes = append(outcomes, more...)
	}
	return outcomes, err
}

// complianceIssueLine describes one issue in a line.
func complianceIssueLine(o issues.Outcome) string {
	line := "issue of the manager"
	if o.Customer != "" {
		line = fmt.Sprintf("issue of customer %s", o.Customer)
	}
	line += " " + string(o.Action)
	if o.URL != "" {
		line += ": " + o.URL
	}
	if o.Reason != "" {
		line += ": " + o.Reason
	}
	return line
}
