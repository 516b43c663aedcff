package provision

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/change"
)

// KindStacks is the kind of plans of stacks.
const KindStacks = "spacelift-stacks"

// What is the name of the value that a row of such a plan is about: all of a stack.
const What = "stack"

// Planner compares what the files of the manager ask for with what is in Spacelift.
type Planner struct {
	Spacelift Spacelift
	GitHub    GitHub
	Roots     Roots
	Parse     func(c pipeline.Customer, file string, raw []byte) (pipeline.Document, pipeline.Problems)
	Overlap   func(a, b string) bool // of two version constraints
	Manager   pipeline.Slug          // whose stacks they are, and which repository they read
	Salt      pipeline.Salt
	// Busy says what Actions still does with a target, such as an apply that has not ended; empty: nothing. nil: no one
	// is asked, since nothing is written.
	Busy func(ctx context.Context, t pipeline.Target) (string, error)
	// Only is the one customer that is looked at; empty: all.
	Only pipeline.CustomerName

	approvals map[string]bool // policies that were asked for: whether they ask for an approval
}

// Finding is why a customer or a stack is left as it is.
type Finding struct {
	Customer pipeline.CustomerName `json:"customer,omitempty"`
	Stack    string                `json:"stack,omitempty"`
	Message  string                `json:"message"`
	// Refused: what is asked for is not done. Else it is a note.
	Refused bool `json:"refused"`
}

// Result is a plan and what writes it.
type Result struct {
	Plan     change.Plan
	Findings []Finding
	Writer   *Writer
}

// Plan reads the stacks of the manager, and says what each has to become.
func (p *Planner) Plan(ctx context.Context, customers []pipeline.Customer) (Result, error) {
	found, err := p.Spacelift.Labeled(ctx, OwnerLabel(p.Manager))
	if err != nil {
		return Result{}, err
	}
	present := map[string]Found{}
	for _, f := range found {
		present[f.ID] = f
	}
	r := Result{Writer: &Writer{Spacelift: p.Spacelift, Manager: p.Manager, Salt: p.Salt, wanted: map[string]Wanted{}, found: map[string]Found{}, failed: map[string]bool{}}}
	wanted, settled := p.wanted(ctx, customers, present, &r)
	var rows []change.Row
	for _, w := range wanted {
		row, err := p.row(ctx, w, present, &r)
		if err != nil {
			return Result{}, err
		}
		if row.What != "" {
			rows = append(rows, row)
		}
	}
	unwanted, err := p.unwanted(wanted, settled, present, &r)
	if err != nil {
		return Result{}, err
	}
	r.Plan = change.NewPlan(KindStacks, len(wanted)+len(unwanted), append(rows, unwanted...))
	return r, nil
}

// wanted are the stacks that customers have to have. settled are the customers of which all of it is known:
// a stack of another one is never taken for one that is not wanted.
func (p *Planner) wanted(ctx context.Context, customers []pipeline.Customer, present map[string]Found, r *Result) (all []Wanted, settled map[pipeline.CustomerName]bool) {
	settled = map[pipeline.CustomerName]bool{}
	for _, c := range customers {
		if p.Only != "" && c.Name != p.Only {
			continue
		}
		list, err := p.customer(ctx, c, present)
		if err != nil {
			r.Findings = append(r.Findings, Finding{Customer: c.Name, Message: pipeline.PlainLine(err.Error()), Refused: true})
			continue
		}
		settled[c.Name] = true
		all = append(all, list...)
	}
	names := map[string]int{}
	for _, w := range all {
		names[w.Stack.Name]++
	}
	for i, w := range all {
		if names[w.Stack.Name] > 1 {
			r.Findings = append(r.Findings, Finding{Customer: w.Target.Customer, Stack: w.ID, Message: fmt.Sprintf("another stack would be called %s too, so this one is called %s", pipeline.Quote(w.Stack.Name), w.ID)})
			all[i].Stack.Name = w.ID
		}
	}
	return all, settled
}

// row compares one stack. The zero row: it is left as it is, for a reason that is a finding.
func (p *Planner) row(ctx context.Context, w Wanted, present map[string]Found, r *Result) (change.Row, error) {
	refuse := func(message string) (change.Row, error) {
		r.Findings = append(r.Findings, Finding{Customer: w.Target.Customer, Stack: w.ID, Message: message, Refused: true})
		return change.Row{}, nil
	}
	found, there := present[w.ID]
	if !there {
		other, exists, err := p.Spacelift.Stack(ctx, w.ID)
		if err != nil {
			return refuse(fmt.Sprintf("whether it exists is not known: %v", err))
		}
		if exists && !other.OwnedBy(p.Manager) {
			return refuse(fmt.Sprintf("a stack with this id exists and lacks the label %s, so it is not touched: add the label in Spacelift if it is to belong to this manager", OwnerLabel(p.Manager)))
		}
		found, there = other, exists
	}
	if there && found.Deleting {
		return refuse("it is being deleted: run this again when it is gone")
	}
	if there && found.ManageState != w.Stack.ManageState {
		return refuse(fmt.Sprintf("who keeps its state cannot change: Spacelift does is %t, and manage_state is %t; move the state by hand, and remove the stack", found.ManageState, w.Stack.ManageState))
	}
	if p.Busy != nil && w.Stack.Enabled && !(there && found.Enabled) {
		busy, err := p.Busy(ctx, w.Target)
		if err != nil {
			return refuse(fmt.Sprintf("whether Actions still works on %s is not known: %v", w.Target, err))
		}
		if busy != "" { // two that apply to one state would undo each other's work
			w.Waits = fmt.Sprintf("Actions still works on %s: %s; run this again when that has ended", w.Target, busy)
			w.Stack.Enabled = false
		}
	}
	if w.Waits != "" {
		r.Findings = append(r.Findings, Finding{Customer: w.Target.Customer, Stack: w.ID, Message: "it stays disabled: " + w.Waits})
	}
	p.more(w, found, r)
	if asks, err := p.asksApproval(ctx, w, found); err != nil || asks && w.Stack.Autodeploy {
		if err != nil {
			return refuse(fmt.Sprintf("whether its policies ask for an approval is not known: %v", err))
		}
		w.Stack.Autodeploy = false
		r.Findings = append(r.Findings, Finding{Customer: w.Target.Customer, Stack: w.ID,
			Message: "autodeploy stays off: a policy of it asks for an approval, and Spacelift asks none where autodeploy is on"})
	}
	return r.Writer.add(w, found, there)
}

// asksApproval reports whether a policy that the stack has, or will have, asks for an approval. That is asked only where
// the stack is to have autodeploy.
func (p *Planner) asksApproval(ctx context.Context, w Wanted, found Found) (bool, error) {
	if !w.Stack.Autodeploy || found.AsksApproval {
		return found.AsksApproval, nil
	}
	for _, id := range w.Stack.Policies {
		asks, known := p.approvals[id]
		if !known {
			var there bool
			var err error
			if asks, there, err = p.Spacelift.Policy(ctx, id); err != nil {
				return false, err
			}
			if !there {
				return false, fmt.Errorf("Spacelift has no policy %s, or the API key may not see it", pipeline.Quote(id))
			}
			if p.approvals == nil {
				p.approvals = map[string]bool{}
			}
			p.approvals[id] = asks
		}
		if asks {
			return true, nil
		}
	}
	return false, nil
}

// more names what is attached beside what metapipe.yml names: it stays, and people should know.
func (p *Planner) more(w Wanted, found Found, r *Result) {
	for _, list := range []struct {
		what        string
		has, wanted []string
	}{{"policy", found.Policies, w.Stack.Policies}, {"context", found.Contexts, w.Stack.Contexts}} {
		for _, id := range missing(list.wanted, list.has) {
			r.Findings = append(r.Findings, Finding{Customer: w.Target.Customer, Stack: w.ID,
				Message: fmt.Sprintf("the %s %s is attached, and metapipe.yml does not name it: detach it in Spacelift if it does not belong there", list.what, pipeline.Quote(id))})
		}
	}
}

// unwanted disables the stacks of customers whose files do not ask for them any more.
func (p *Planner) unwanted(wanted []Wanted, settled map[pipeline.CustomerName]bool, present map[string]Found, r *Result) ([]change.Row, error) {
	asked := map[string]bool{}
	for _, w := range wanted {
		asked[w.ID] = true
	}
	var rows []change.Row
	for _, id := range slices.Sorted(maps.Keys(present)) {
		found := present[id]
		if asked[id] || !p.looksAt(found, settled, r) {
			continue
		}
		r.Findings = append(r.Findings, Finding{Stack: id, Message: "nothing asks for it any more: it stays there, disabled. `metapipe spacelift remove " + id + "` removes it"})
		if !found.Enabled {
			continue
		}
		w := Wanted{ID: id}
		w.Stack = found.seen(w, p.Salt)
		w.Stack.Enabled = false
		row, err := r.Writer.add(w, found, true)
		if err != nil {
			return nil, err
		}
		row.Reason = "not wanted any more"
		rows = append(rows, row)
	}
	return rows, nil
}

// looksAt reports whether a stack that nothing asks for may be disabled: its customer is looked at and could be read.
// Without a customer that is looked at, only a run for all of them may.
func (p *Planner) looksAt(found Found, settled map[pipeline.CustomerName]bool, r *Result) bool {
	t, known := found.Target()
	if !known {
		if p.Only == "" {
			r.Findings = append(r.Findings, Finding{Stack: found.ID, Message: "its labels do not say which target it runs, so it is left as it is: give it the label " + labelStack + "CUSTOMER/ENVIRONMENT again, or remove " + OwnerLabel(p.Manager), Refused: true})
		}
		return false
	}
	unread := slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Refused && f.Stack == "" && f.Customer == t.Customer })
	return !unread && (p.Only == "" || settled[p.Only] && t.Customer == p.Only)
}

// Err is a *pipeline.RefusedError where something that is asked for is not done.
func (r Result) Err() error {
	n := 0
	for _, f := range r.Findings {
		if f.Refused {
			n++
		}
	}
	if n == 0 {
		return nil
	}
	return &pipeline.RefusedError{Message: fmt.Sprintf("%d customers or stacks are left as they are", n), Next: "the list says why for each; the others are not affected"}
}

var errUnplanned = errors.New("it is not in the plan")

// Bodies are the requests that would write a row, in their order and without the texts of values.
func (r Result) Bodies(row change.Row) ([]json.RawMessage, error) {
	w, known := r.Writer.wanted[row.Name]
	if !known {
		return nil, errUnplanned
	}
	var bodies []json.RawMessage
	for _, step := range r.Writer.steps(w) {
		body, err := r.Writer.Spacelift.Body(row.Name, step)
		if err != nil {
			return nil, err
		}
		bodies = append(bodies, body)
	}
	return bodies, nil
}
