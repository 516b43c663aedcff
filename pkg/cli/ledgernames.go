package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/pipeline/registry"
)

// auditTarget reads the ledger of a target, or with an empty env that of the customer.
// With a GitHub to compare with, the ledgers that it has under former names follow: its
// history begins there.
func (m audit) auditTarget(ctx context.Context, auditor ledger.Auditor, c pipeline.Customer, t pipeline.Target) ([]ledger.AuditReport, error) {
	var reports []ledger.AuditReport
	names := []pipeline.CustomerName{c.Name}
	for i := 0; i < len(names); i++ { // it grows
		t.Customer = names[i]
		report, err := auditor.Target(ctx, c, t)
		if err != nil {
			if len(report.Entries) > 0 {
				report.Notes = append(report.Notes, "this ledger was not verified to its end")
				reports = append(reports, report)
			}
			return reports, err
		}
		for _, former := range report.FormerNames() {
			_, taken := m.config.Customer(former)
			switch {
			case auditor.GitHub == nil || slices.Contains(names, former):
			case taken:
				report.Notes = append(report.Notes, fmt.Sprintf("what was done under the former name %s was not compared: a customer has that name now", former))
			default:
				names = append(names, former)
			}
		}
		reports = append(reports, report)
	}
	return reports, nil
}

// renamedCustomer is a customer without a file as it was before a rename: its repository
// stands in the file of the new name. note says what of that is not verified.
func (m audit) renamedCustomer(ctx context.Context, name pipeline.CustomerName) (c pipeline.Customer, note string, err error) {
	to, unread := leftoversOf(m.manager).renamedTo(ctx, name)
	c, registered := m.config.Customer(to)
	message := fmt.Sprintf("customer %s is not registered any more: --verify needs its repository", name)
	switch {
	case to == "" && unread != "":
		message += ", and it is not known whether it was renamed: " + unread
	case to != "" && !registered:
		message += fmt.Sprintf(", and it is customer %s now, which is not registered either", to)
	}
	if !registered {
		return c, "", pipeline.Usagef("%s", message).Nextf("leave --verify out: the chain of the ledger is verified all the same")
	}
	if unread != "" {
		note = fmt.Sprintf("compared with the repository of customer %s: %s", to, unread)
	}
	c.Name = name
	return c, note, nil
}

// leftLedgers reads the ledgers of a customer that has no file in customers/ any more.
func (m audit) leftLedgers(ctx context.Context, auditor ledger.Auditor, o ledgerOptions) ([]ledger.AuditReport, error) {
	name := pipeline.CustomerName(o.customer)
	c, note := pipeline.Customer{Name: name}, ""
	if o.verify {
		var err error
		if c, note, err = m.renamedCustomer(ctx, name); err != nil {
			return nil, err
		}
		client, err := m.github.clientFor(envSourceToken, grantCompare)
		if err != nil {
			return nil, err
		}
		auditor.GitHub = client
	}
	stored, err := registry.StoredTargets(ctx, m.store, name)
	if err != nil {
		return nil, err
	}
	stored = pipeline.Customer{Name: name, Manager: m.config.Manager}.InOrder(stored)
	targets := slices.DeleteFunc(slices.Clone(stored), func(t pipeline.Target) bool { return !o.fits(t) })
	if o.environment == "" {
		targets = append([]pipeline.Target{{Customer: name}}, targets...)
	} else if len(targets) == 0 {
		var names []string
		for _, t := range stored {
			names = append(names, t.Name())
		}
		asked := pipeline.Target{Environment: pipeline.Environment(o.environment), Stack: pipeline.StackName(o.stack)}
		return nil, pipeline.Usagef("the store has no environment %q of customer %s", asked.Name(), name).
			Nextf("one of %s", pipeline.JoinNames(names))
	}
	reports, err := m.auditAll(ctx, auditor, c, targets)
	for i := range reports {
		if note != "" && reports[i].Customer == name {
			reports[i].Notes = append(reports[i].Notes, note)
		}
	}
	return reports, err
}

// noteLeft says of the ledgers of applied targets that nothing plans them any more.
func (m audit) noteLeft(ctx context.Context, c pipeline.Customer, reports []ledger.AuditReport) error {
	left := registry.LeftTargets(ctx, record.Records{Store: m.store}, []pipeline.Customer{c})[0]
	for i := range reports {
		of := reports[i].Target()
		if slices.Contains(left.Targets, of) {
			message := pipeline.LeftMessage(of.String(), c.WhyLeft(of))
			reports[i].Notes = append(reports[i].Notes, message+": "+pipeline.LeftNext)
		}
	}
	return left.Err
}

// auditAll reads the ledgers of several targets. What is wrong with one does not hide the
// others: the error names each that could not be read.
func (m audit) auditAll(ctx context.Context, auditor ledger.Auditor, c pipeline.Customer, targets []pipeline.Target) ([]ledger.AuditReport, error) {
	var reports []ledger.AuditReport
	var unread []error
	for _, t := range targets {
		found, err := m.auditTarget(ctx, auditor, c, t)
		reports = append(reports, found...)
		if err == nil {
			continue
		}
		unread = append(unread, err)
		if statesOf(m.manager).goOn(ctx, err) != nil {
			break
		}
	}
	return reports, errors.Join(unread...)
}
