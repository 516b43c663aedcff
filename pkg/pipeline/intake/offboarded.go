package intake

import (
	"context"
	"errors"
	"fmt"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
)

// manualRepository looks up the repository of a manual request. GitHub answers 404 for a
// repository that was deleted and for one that the token may not see, so that alone ends
// nothing. Where an operator has marked the customer as offboarded, a destroy goes on
// without the repository: from.unseen says why.
func (f *FetchVars) manualRepository(ctx context.Context, from *origin) error {
	c := from.customer
	repo, properties, err := f.GitHub.RepositoryProperties(ctx, c.Repository)
	var cause pipeline.RefusalCause
	if pipeline.RepositoryUnseen(err) {
		cause = pipeline.CauseUnseen
	} else if err != nil {
		return fmt.Errorf("look up repository %s of customer %s: %w", c.Repository, c.Name, err)
	}
	same := error(nil)
	if err == nil {
		same = sameRepository(c, repo)
		var other *pipeline.OtherRepositoryError
		if errors.As(c.CheckRepository(repo), &other) {
			cause = other.Cause()
		}
	}
	switch {
	case cause == "":
		from.repository, from.properties = repo, properties
		return nil
	case c.Offboarded && from.mode == pipeline.ModeDestroy:
		return f.withoutRepository(ctx, from, cause)
	case err != nil && from.mode != pipeline.ModeDestroy:
		return fmt.Errorf("look up repository %s of customer %s: %w", c.Repository, c.Name, err)
	case from.mode != pipeline.ModeDestroy:
		return same
	}
	return unseenRefusal(c, same)
}

// unseenRefusal refuses a destroy of a customer with a repository that GitHub does not
// show, or that is another one. same is what sameRepository says about it.
func unseenRefusal(c pipeline.Customer, same error) error {
	offboard := fmt.Sprintf("when the customer has left, set `offboarded: true` in %s and start the destroy again; see docs/ENDING.md", c.File)
	var rejected *pipeline.RejectedError
	if errors.As(same, &rejected) {
		return &pipeline.RejectedError{Reason: rejected.Reason, Message: rejected.Message, Next: rejected.Next + "; " + offboard}
	}
	return &pipeline.RejectedError{
		Reason:  pipeline.ReasonUnknownCustomer,
		Message: fmt.Sprintf("GitHub does not show repository %s (id %d) of customer %s: it was deleted, or the token may not see it", c.Repository, c.RepositoryID, c.Name),
		Next:    "when it exists, give the token access to it and start the destroy again; " + offboard,
	}
}

// withoutRepository takes from the last apply what a destroy needs of the repository.
// Without such a record lastVariables refuses.
func (f *FetchVars) withoutRepository(ctx context.Context, from *origin, cause pipeline.RefusalCause) error {
	c := from.customer
	known, err := ledger.Remember(ctx, f.records(), pipeline.Target{Customer: c.Name, Environment: from.only, Stack: from.stack})
	if err != nil {
		return err
	}
	if known.Record != nil {
		from.commit = known.Record.Receipt.Commit
	}
	from.repository = pipeline.Repository{Slug: c.Repository, ID: c.RepositoryID}
	from.unseen = fmt.Sprintf("customer %s is offboarded, and nothing is reported to %s (id %d): %s", c.Name, c.Repository, c.RepositoryID, cause)
	return nil
}
