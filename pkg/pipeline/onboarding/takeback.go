package onboarding

import (
	"context"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/change"
	"github.com/metapipe/metapipe/pkg/pipeline/settings"
)

// Undo plans to take back what onboarding has made, secrets first: pull requests that are open, and what
// the list in the customer's repository names. What was merged stays.
func (p Planner) Undo(ctx context.Context) (Result, error) {
	w, err := p.begin(ctx)
	if err != nil {
		return Result{}, err
	}
	if err := w.asNamed(ctx); err != nil {
		return Result{}, err
	}
	if w.Of.RegisteredID != 0 && w.Of.RegisteredID != w.customer.repository.ID {
		return Result{}, w.accept(ctx)
	}
	if err := w.takeSettings(ctx); err != nil {
		return Result{}, err
	}
	if err := w.takeProposal(ctx, w.customer, w.start(w.Of.Files)); err != nil {
		return Result{}, err
	}
	if err := w.takeProposal(ctx, w.manager, w.registration()); err != nil {
		return Result{}, err
	}
	if w.Of.RegisteredID != 0 {
		w.notef("%s is merged, and stays: `metapipe offboard %s` ends the customer's rights", w.Of.Path, w.Of.Name)
	}
	return w.end(), nil
}

// takeProposal plans to close a pull request. A branch with commits of others stays.
func (w *planning) takeProposal(ctx context.Context, s side, p Proposal) error {
	if s.repository.Archived {
		return nil
	}
	v, err := s.see(ctx, p)
	if err != nil {
		return err
	}
	old, err := v.value()
	if err != nil || change.IsNone(old) {
		return err
	}
	next := change.None
	if !v.ours(p) {
		if v.number == 0 || v.mark != "" {
			w.notef("the branch %s of %s was not made for this, and stays", p.Branch, s.slug())
			return nil
		}
		w.notef("the branch %s of %s has commits of others, and stays", p.Branch, s.slug())
		if next, err = (value{Files: v.files}).encode(); err != nil {
			return err
		}
	}
	w.writer.proposals[key(s, p)] = p
	w.add(s, pullRequestOf+p.Branch, old, next, "it is taken back")
	return nil
}

// takeSettings plans to remove what the list in the customer's repository names, and then the list.
func (w *planning) takeSettings(ctx context.Context) error {
	if w.shared {
		w.notef("another customer lives in %s: its variables, properties, required check and secrets stay", w.customer.slug())
		return nil
	}
	if w.customer.repository.Archived {
		w.notef("%s is archived: no workflow runs in it, and its settings stay", w.customer.slug())
		return nil
	}
	list, made, err := w.marker(ctx)
	if err != nil {
		return err
	}
	for i := len(made) - 1; i >= 0; i-- {
		if err := w.take(ctx, made[i]); err != nil {
			return err
		}
	}
	slices.SortStableFunc(w.rows, func(a, b change.Row) int { return weight(a.What) - weight(b.What) })
	if !change.IsNone(list) {
		w.add(w.customer, settings.VariableOf+Marker, list, change.None, "nothing is left on the list")
	}
	return nil
}

// weight brings secrets to the front.
func weight(what string) int {
	if strings.HasPrefix(what, secretOf) {
		return 0
	}
	return 1
}

// take plans to remove one thing.
func (w *planning) take(ctx context.Context, what string) error {
	const reason = "onboarding has made it"
	slug := w.customer.slug()
	kind, name, _ := settings.Split(what)
	secret, isSecret := strings.CutPrefix(what, secretOf)
	switch {
	case isSecret:
		names, err := w.Customer.SecretNames(ctx, slug)
		if err == nil && slices.Contains(names, secret) {
			w.add(w.customer, what, set, change.None, reason)
		}
		return err
	case kind != settings.VariableOf && kind != settings.RulesetOf:
		return w.takeProperty(ctx, what, reason)
	}
	old, err := w.Customer.Setting(ctx, slug, what)
	if err != nil || change.IsNone(old) {
		return err
	}
	if want, given := w.Of.Variables[name]; kind == settings.VariableOf && given {
		if mine, err := settings.Encode(want); err != nil || string(mine) != string(old) {
			w.notef("the variable %s of %s has another value now, and stays", name, slug)
			return err
		}
	}
	w.add(w.customer, what, old, change.None, reason)
	return nil
}

func (w *planning) takeProperty(ctx context.Context, name, reason string) error {
	seen := w.Of.Writer.Read(ctx, []change.Row{{Place: w.customer.place(), What: name}})
	switch {
	case seen[0].Err != nil:
		return seen[0].Err
	case len(seen[0].Value) == 0 || change.IsNone(seen[0].Value):
		return nil
	}
	w.add(w.customer, name, seen[0].Value, change.None, reason)
	return nil
}

// Offboard plans to end the rights of a customer: its file is marked by a pull request, and what
// onboarding has made in its repository is removed. State and ledger stay, and nothing is destroyed.
// was is the customer's file, and file what it has to be; nil: it is marked already.
func (p Planner) Offboard(ctx context.Context, was, file []byte) (Result, error) {
	w, err := p.begin(ctx)
	if err != nil {
		return Result{}, err
	}
	if w.customer.repository.ID != w.Of.RegisteredID {
		return Result{}, pipeline.Usagef("%s is another repository now: it has the id %d, and %s has %d", w.customer.slug(), w.customer.repository.ID, w.Of.Path, w.Of.RegisteredID).
			Nextf("correct `repository` in the file, then run this again")
	}
	if err := w.leave(ctx, was, file); err != nil {
		return Result{}, err
	}
	if err := w.takeSettings(ctx); err != nil {
		return Result{}, err
	}
	if err := w.takeProposal(ctx, w.customer, w.start(w.Of.Files)); err != nil {
		return Result{}, err
	}
	return w.end(), nil
}

// OffboardFile plans the mark of a customer whose repository is not visible any more.
func (p Planner) OffboardFile(ctx context.Context, was, file []byte) (Result, error) {
	w := &planning{Planner: p, manager: side{github: p.Manager}}
	var err error
	if w.manager.repository, err = p.Manager.OnboardingRepository(ctx, p.ManagerRepository); err != nil {
		return Result{}, err
	}
	w.customer.repository.ID = p.Of.RegisteredID
	w.writer = Writer{sides: map[int64]side{w.manager.repository.ID: w.manager}, proposals: map[string]Proposal{}}
	w.notef("%s is not visible to the token, so nothing is removed there", p.CustomerRepo)
	if err := w.leave(ctx, was, file); err != nil {
		return Result{}, err
	}
	return w.end(), nil
}

// leave plans the pull request that marks the customer's file.
func (w *planning) leave(ctx context.Context, was, file []byte) error {
	if file == nil {
		w.notef("%s says `offboarded: true` already", w.Of.Path)
		return nil
	}
	p := Proposal{Branch: "metapipe/offboard-" + string(w.Of.Name), Title: "customers: offboard " + string(w.Of.Name), Mark: w.mark("offboard"),
		Body:  "Ends the requests of this customer when it is merged. State and ledger stay, and nothing is destroyed.",
		Files: map[string][]byte{w.Of.Path: file}}
	missing, other, err := w.absent(ctx, w.manager, p.Files)
	switch {
	case err != nil:
		return err
	case len(missing)+len(other) == 0:
		w.notef("%s of the default branch says `offboarded: true` already", w.Of.Path)
		return nil
	}
	if missing, other, err = w.absent(ctx, w.manager, map[string][]byte{w.Of.Path: was}); err != nil {
		return err
	}
	if len(missing)+len(other) > 0 {
		return pipeline.Usagef("%s of the default branch of %s is not the one of this checkout", w.Of.Path, w.manager.slug()).Nextf("pull the manager, and run this again")
	}
	return w.propose(ctx, w.manager, p, "its requests are refused when it is merged")
}
