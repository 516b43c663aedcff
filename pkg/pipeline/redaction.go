package pipeline

import (
	"fmt"
	"slices"
	"strings"
)

// rank orders the levels; an unknown one counts as the strictest.
func (l Redaction) rank() int {
	switch l {
	case "", RedactionValues:
		return 0
	}
	return 1
}

// LooserThan reports whether l shows more than m does.
func (l Redaction) LooserThan(m Redaction) bool { return l.rank() < m.rank() }

// Hides reports whether the level leaves anything out.
func (l Redaction) Hides() bool { return l.rank() > 0 }

// Redacted returns what may be shown of a plan at a level. The plan itself is
// left alone.
func (p Plan) Redacted(l Redaction) Plan {
	if !l.Hides() {
		return p
	}
	p.Changes, p.Drift, p.Deferred = bareChanges(p.Changes), bareChanges(p.Drift), bareChanges(p.Deferred)
	p.Invocations = slices.Clone(p.Invocations)
	for i, v := range p.Invocations {
		p.Invocations[i] = Invocation{Address: v.Address, Event: v.Event, Resource: v.Resource, OnFailure: v.OnFailure, Deferred: v.Deferred}
	}
	p.Outputs = slices.Clone(p.Outputs)
	for i, o := range p.Outputs {
		p.Outputs[i] = OutputChange{Name: o.Name, Action: o.Action}
	}
	p.Checks = slices.Clone(p.Checks)
	for i, c := range p.Checks {
		p.Checks[i] = Check{Address: c.Address, Status: c.Status}
	}
	p.Composed = p.Composed.Redacted(l)
	p.Diagnostics = RedactedDiagnostics(p.Diagnostics, l)
	return p
}

// bareChanges are changes without what only the provider knows. What is left out
// is not named either, so a field that comes later is hidden until it is put here.
func bareChanges(changes []ResourceChange) []ResourceChange {
	if changes == nil {
		return nil
	}
	bare := make([]ResourceChange, len(changes))
	for i, c := range changes {
		bare[i] = ResourceChange{Address: c.Address, PreviousAddress: c.PreviousAddress, Module: c.Module, Type: c.Type,

			Data: c.Data, Action: c.Action, CreateFirst: c.CreateFirst, KeepsOld: c.KeepsOld, Causes: ownCauses(c.Causes), Reason: c.Reason, Deferred: c.Deferred, Imports: c.IsImport()}
	}
	return bare
}

// ownCauses are those in the customer's own file.
func ownCauses(all []Cause) []Cause {
	var own []Cause
	for _, c := range all {
		if c.Path != "" {
			own = append(own, c)
		}
	}
	return own
}

// seeProviderLog is what stands for a text that is not shown.
const seeProviderLog = "ask the service provider: the log of the manager's run has what the tool said"

// RedactedDiagnostics returns what may be shown of diagnostics at a level.
func RedactedDiagnostics(all []Diagnostic, l Redaction) []Diagnostic {
	if !l.Hides() || all == nil {
		return all
	}
	shown := make([]Diagnostic, len(all))
	for i, d := range all {
		shown[i] = d.bare()
	}
	return shown
}

// ofTheCustomer reports a diagnostic about a line of the customer's file.
func (d Diagnostic) ofTheCustomer() bool { return d.Source.File != "" }

func (d Diagnostic) bare() Diagnostic {
	if d.ofTheCustomer() {
		return Diagnostic{Warning: d.Warning, Summary: d.Summary, Address: d.Address, Source: d.Source, Exact: d.Exact, Remedy: d.Remedy}
	}
	what := "the tool reports an error"
	if d.Warning {
		what = "the tool reports a warning"
	}
	return Diagnostic{Warning: d.Warning, Summary: what, Address: d.Address, Remedy: seeProviderLog}
}

// Redacted returns what may be shown of a target at a level. The outputs of an
// apply stay: they are what the manager hands out.
func (t TargetReport) Redacted(l Redaction) TargetReport {
	if !l.Hides() {
		return t
	}
	t.Redaction = l
	output := t.Diagnostics
	if t.Plan != nil {
		output = slices.Concat(output, t.Plan.Diagnostics)
		plan := t.Plan.Redacted(l)
		t.Plan = &plan
	}
	t.Composed = t.Composed.Redacted(l)
	t.Diagnostics = RedactedDiagnostics(t.Diagnostics, l)
	t.Message, t.Next = Unquoted(t.Message, t.Next, fmt.Sprintf("%s did not succeed; what the tool said is not shown here", t.Name()), output)
	_, t.Operator = Unquoted("", t.Operator, "", output)
	return t
}

// Unquoted replaces sentences that were made of what the tool said, but for what
// belongs to the customer's own lines.
func Unquoted(message, next, instead string, output []Diagnostic) (string, string) {
	for _, d := range output {
		if d.ofTheCustomer() {
			continue
		}
		if quotes(message, d) {
			message = instead
		}
		if quotes(next, d) {
			next = seeProviderLog
		}
	}
	return message, next
}

// quotes reports whether one of our sentences was made of what the tool said.
func quotes(sentence string, d Diagnostic) bool {
	parts := append(strings.Split(d.Summary+"\n"+d.Detail+"\n"+d.Code, "\n"), d.Remedy, d.Operator)
	if d.Where.File != "" {
		parts = append(parts, d.Where.String())
	}
	return slices.ContainsFunc(parts, func(part string) bool {
		part = strings.TrimSpace(part)
		return len(part) >= minQuote && strings.Contains(sentence, part)
	})
}

// minQuote is the length below which a line of the tool is no quotation: a
// closing brace stands in many sentences.
const minQuote = 6
