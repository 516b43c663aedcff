package recovery

import (
	"context"
	"errors"
	"fmt"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/pipeline/registry"
)

// lineages are the targets that the store knows, by the lineages of their states.
type lineages struct {
	targets map[string][]pipeline.Target
	unread  error // why some of it is not known
}

// owner returns the other target that a lineage belongs to. A lineage that is known of the
// target itself is its own, and so is that of a customer that was renamed to it. unread says
// why a lineage without an owner may have one.
func (r *Restorer) owner(ctx context.Context, t pipeline.Target, known ledger.Remembered, lineage string) (owner *pipeline.Target, unread error) {
	if lineage == "" || known.HasLineage(lineage) {
		return nil, nil
	}
	if r.lineages == nil {
		r.lineages = r.readLineages(ctx)
	}
	for _, other := range r.lineages.targets[lineage] {
		if other == t {
			continue
		}
		if other.Customer != t.Customer {
			to, err := registry.RenamedTo(ctx, r.Store, r.Sealer, other.Customer)
			if err == nil && to == t.Customer {
				continue
			}
		}
		if gave, err := r.hasGiven(ctx, other, t); err != nil {
			return &other, err
		} else if gave {
			continue
		}
		return &other, nil
	}
	return nil, r.lineages.unread
}

// hasGiven reports whether a target of the same customer has given its state away: there is
// none in its place, and that was accepted. So the state of a customer without stacks becomes
// the one of a stack.
func (r *Restorer) hasGiven(ctx context.Context, other, to pipeline.Target) (bool, error) {
	if other.Customer != to.Customer {
		return false, nil
	}
	known, err := ledger.Remember(ctx, record.Records{Store: r.Store, Sealer: r.Sealer}, other)
	if err != nil || !known.NoneLeft() {
		return false, nil //nolint:nilerr // what cannot be believed gives nothing away
	}
	found, err := r.storedLineage(ctx, other)
	return err == nil && found == "", err
}

// memory is what the store remembers of a target: what the ledger alone does where the
// record cannot be read. The error says what is not known.
func (r *Restorer) memory(ctx context.Context, t pipeline.Target) (ledger.Remembered, error) {
	s := record.Records{Store: r.Store, Sealer: r.Sealer}
	known, err := ledger.Remember(ctx, s, t)
	if err == nil {
		return known, nil
	}
	known, ledgerErr := ledger.RememberLedger(ctx, s, t)
	return known, errors.Join(err, ledgerErr)
}

// readLineages reads the states in the store, the records of the last apply and the ledgers.
func (r *Restorer) readLineages(ctx context.Context) *lineages {
	all := &lineages{targets: map[string][]pipeline.Target{}}
	names, err := registry.StoredCustomers(ctx, r.Store)
	all.unread = err
	for _, name := range names {
		targets, err := registry.StoredTargets(ctx, r.Store, name)
		all.unread = errors.Join(all.unread, err)
		for _, t := range targets {
			r.addLineages(ctx, t, all)
		}
	}
	return all
}

func (r *Restorer) addLineages(ctx context.Context, t pipeline.Target, all *lineages) {
	found, err := r.storedLineage(ctx, t)
	all.unread = errors.Join(all.unread, err)
	seen := map[string]bool{found: true}
	known, err := r.memory(ctx, t)
	all.unread = errors.Join(all.unread, err)
	for _, lineage := range known.Lineages() {
		seen[lineage] = true
	}
	for lineage := range seen {
		if lineage != "" {
			all.targets[lineage] = append(all.targets[lineage], t)
		}
	}
}

// storedLineage is the lineage of the state that lies in the store; empty where none does.
func (r *Restorer) storedLineage(ctx context.Context, t pipeline.Target) (string, error) {
	if r.ReadState == nil {
		return "", nil
	}
	file, err := r.Store.Open(ctx, pipeline.StateKey(t))
	if errors.Is(err, pipeline.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read the state of %s: %w", t, err)
	}
	state, err := r.ReadState(file)
	if err = errors.Join(err, file.Close()); err != nil {
		return state.Lineage, fmt.Errorf("read the state of %s: %w", t, err)
	}
	return state.Lineage, nil
}

// checkOwn refuses a state that belongs to another target. What cannot be believed of other
// targets is not in its way: the operator may be about to accept that, too.
func (r *Restorer) checkOwn(ctx context.Context, in pipeline.TargetInput, what, lineage string) error {
	known, _ := r.memory(ctx, in.Target()) // what is not known of it makes no lineage its own
	owner, unread := r.owner(ctx, in.Target(), known, lineage)
	switch {
	case owner != nil:
		return refuseForeign(in, what, *owner)
	case unread != nil && ctx.Err() != nil:
		return ctx.Err()
	}
	return nil
}

// refuseForeign is the error for a state of another target: the next apply would destroy
// the infrastructure of that one.
func refuseForeign(in pipeline.TargetInput, what string, owner pipeline.Target) error {
	return &pipeline.RefusedError{Reason: pipeline.ReasonStateLost,
		Message: fmt.Sprintf("%s has the lineage of the state of %s, so nothing was changed: with it, the next apply of %s would change or destroy the infrastructure of %s",
			what, owner, in.Target(), owner),
		Next: fmt.Sprintf("use a state of %s. Where the state moved here on purpose, move it away from %s, and then run `metapipe state accept %s --reason TEXT`",
			in.Target(), owner, owner.Flags())}
}
