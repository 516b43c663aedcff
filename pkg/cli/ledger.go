package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/render"
)

type ledgerOptions struct {
	targetOptions
	verify, json bool
}

func newLedgerCmd(app *App) *cobra.Command {
	var o ledgerOptions
	cmd := &cobra.Command{
		Use:   "ledger",
		Short: "Print and verify the record of what was asked, decided and done",
		Long: `ledger prints the entries of a customer's targets: who asked, what was planned, who
approved, what was applied or refused and why. It also prints what was written to GitHub
with an old and a new value, such as custom properties. It verifies that the chain of each
ledger holds, and with METAPIPE_KEY that its last entry has a valid signature. Without
--customer it prints the requests with an unverified origin, and what was written to
whole organizations.

With --verify it also compares with what GitHub remembers: the heads and receipts in
the deployments, and the receipts in the statuses of the customer's commits. Customers
can write both in their own repository: a finding names the author. After a rename, it
compares the ledgers under the former names too.

Environment: METAPIPE_KEY; with --verify SOURCE_REPOS_PAT (customers: deployments and
statuses read).
Exit code 6: something is missing, changed, reordered, or not what GitHub remembers.`,
		Example: "  metapipe ledger --customer example-customer --environment staging",
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return app.ledger(cmd.Context(), o) },
	}
	o.flags(cmd)
	cmd.Flags().StringVar(&o.customer, "customer", "", "customer `NAME`")
	cmd.Flags().StringVar(&o.environment, "environment", "", "only this environment `NAME`")
	cmd.Flags().StringVar(&o.stack, "stack", "", "with --environment: only this stack `NAME`")
	cmd.Flags().BoolVar(&o.verify, "verify", false, "compare with what GitHub remembers, too")
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
	return cmd
}

func (a *App) ledger(ctx context.Context, o ledgerOptions) error {
	m, err := a.stateManager(ctx, stateOptions{targetOptions: o.targetOptions}, func(m *manager) error { return auditOf(m).check(o) })
	if err != nil {
		return err
	}
	reports, unread := auditOf(m).ledgers(ctx, o)
	if unread != nil && len(reports) == 0 {
		return unread
	}
	findings := 0
	for _, r := range reports {
		findings += len(r.Findings)
	}
	if o.json {
		err = a.printJSON(reports)
	} else {
		if o.customer == "" {
			reports = slices.DeleteFunc(reports, ledger.AuditReport.Empty)
		}
		err = a.printLedgers(reports)
		if o.customer == "" {
			if left, err := leftoversOf(m).unregistered(ctx); err != nil {
				return err
			} else if len(left) > 0 {
				a.logf("not registered any more, with a ledger that --customer shows: %s", pipeline.JoinNames(left))
			}
			what := "these are the requests without a verified origin, and what was written to organizations"
			if len(reports) == 0 {
				what = "no request without a verified origin is on record, and nothing that was written to organizations"
			}
			a.logf("%s; --customer NAME shows those of a customer: %s", what, m.config.Advice())
		}
	}
	if err = errors.Join(err, unread); err == nil && findings > 0 {
		return findingsError{findings}
	}
	return err
}

// audit reads and verifies ledgers.
type audit struct{ *manager }

func auditOf(m *manager) audit { return audit{m} }

// check checks as much of the flags as needs no store: it may know customers and
// environments that the checkout does not.
func (m audit) check(o ledgerOptions) error {
	if o.customer == "" {
		if o.filters() || o.verify {
			return pipeline.Usagef("--environment, --stack and --verify need --customer").Nextf("%s", m.config.Advice())
		}
		return nil
	}
	if o.environment == "" && o.stack != "" {
		return pipeline.Usagef("--stack needs --environment").Nextf("name the environment too")
	}
	if c, err := m.customer(o.customer); err == nil && o.one(c) {
		return targetFlagsOf(m.manager).checkTarget(o.targetOptions)
	} else if err == nil {
		return m.checkFilter(o.targetOptions)
	} else if err != nil && m.place(o.store).isMissing() {
		return err
	}
	return checkStoredName(o.customer)
}

func (a *App) printLedgers(reports []ledger.AuditReport) error {
	for i, r := range reports {
		if i > 0 {
			fmt.Fprintln(a.Out)
		}
		if _, err := fmt.Fprint(a.Out, render.Ledger(r)); err != nil {
			return err
		}
	}
	return nil
}

// ledgers reads the ledgers that the flags ask for: of the fleet, of a customer
// with all targets, or of one target.
func (m audit) ledgers(ctx context.Context, o ledgerOptions) ([]ledger.AuditReport, error) {
	stored, err := m.keys().reading(ctx, m.store)
	if err != nil {
		return nil, err
	}
	auditor := ledger.Auditor{Ledger: ledger.Ledger{Records: stored, Now: m.app.Now}}
	if o.customer == "" {
		fleet, err := auditor.Chain(ctx, pipeline.Target{})
		return []ledger.AuditReport{fleet}, err
	}
	if left, err := leftoversOf(m.manager).isUnregistered(ctx, o.customer); err != nil {
		return nil, err
	} else if left {
		return m.leftLedgers(ctx, auditor, o)
	}
	c, err := m.customer(o.customer)
	if err != nil {
		return nil, err
	}
	if o.verify {
		client, err := m.github.clientFor(envSourceToken, grantCompare)
		if err != nil {
			return nil, err
		}
		auditor.GitHub = client
	}
	if o.one(c) {
		t, err := targetFlagsOf(m.manager).storedTarget(ctx, c, o.targetOptions)
		if err != nil {
			return nil, err
		}
		return m.auditTarget(ctx, auditor, c, t)
	}
	targets, err := targetFlagsOf(m.manager).stored(ctx, c)
	if o.environment == "" {
		targets = append([]pipeline.Target{{Customer: c.Name}}, targets...)
	} else if targets = slices.DeleteFunc(targets, func(t pipeline.Target) bool { return !o.fits(t) }); len(targets) == 0 && err == nil {
		return nil, m.nothingFits(o.targetOptions)
	}
	reports, unread := m.auditAll(ctx, auditor, c, targets)
	return reports, errors.Join(err, unread, m.noteLeft(ctx, c, reports))
}

// one reports whether the flags name one target of a customer, and not all stacks of an
// environment.
func (o ledgerOptions) one(c pipeline.Customer) bool {
	return o.environment != "" && (o.stack != "" || len(c.Manager.Stacks) == 0)
}
