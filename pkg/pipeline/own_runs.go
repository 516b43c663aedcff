package pipeline

import (
	"context"
	"errors"
	"fmt"
)

// OwnRuns cancels runs of the manager's own workflow: no others, whatever a record
// says.
type OwnRuns struct {
	RunCanceller
	Manager Repository
}

// ErrOtherRepositoryRun is a run of another repository than the manager's.
var ErrOtherRepositoryRun = errors.New("it is not a run of the manager")

// Owner is the repository that a run is part of. The runner may not say its id.
func (r Run) Owner(manager Slug) Repository {
	return Repository{Slug: manager, ID: r.RepositoryID}
}

// RunOf returns where to ask for a run of the manager m, and refuses a run of another
// repository. Ids are compared where both are known, since a repository can be renamed.
// Outside of a workflow run m is zero, and the verified record of the request names the
// manager.
func (m Repository) RunOf(run Run) (Slug, error) {
	same := run.Repository.Equal(m.Slug)
	switch {
	case m.Slug == Slug{}:
		return run.Repository, nil
	case run.RepositoryID != 0 && m.ID != 0:
		same = run.RepositoryID == m.ID
	}
	if same {
		return m.Slug, nil
	}
	return Slug{}, fmt.Errorf("run %d of %s (id %d): %w, which is %s (id %d)\n→ look at that run by hand, and find out who can write to the store", run.ID,
		run.Repository, run.RepositoryID, ErrOtherRepositoryRun, m.Slug, m.ID)
}

// Cancel asks GitHub to end a run of the manager.
func (o OwnRuns) Cancel(ctx context.Context, run Run, force bool) error {
	repo, err := o.Manager.RunOf(run)
	if err != nil {
		return err
	}
	return o.CancelRun(ctx, repo, run.ID, force)
}
