package drift

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// gone are the open issues of targets that are not in the registry any more: no
// scan would ever look at them again.
func (w *issueWork) gone(customers []pipeline.Customer) []issueTarget {
	byName := map[pipeline.CustomerName]pipeline.Customer{}
	for _, c := range customers {
		byName[c.Name] = c
	}
	var todo []issueTarget
	for _, name := range slices.Sorted(maps.Keys(w.book.Targets)) {
		stored := w.book.Targets[name]
		customer, environment, _ := strings.Cut(name, "/")
		env := pipeline.Environment(environment)
		c, registered := byName[pipeline.CustomerName(customer)]
		if registered && c.Allows(env) || !stored.Open || stored.Number == 0 {
			continue
		}
		why := "the customer " + customer + " is not registered any more"
		if registered {
			why = environment + " is no environment of " + customer + " any more"
		}
		// The repository is the one that the issue was written to.
		c.Name, c.Repository, c.RepositoryID = pipeline.CustomerName(customer), stored.Slug, stored.Repository
		if c.File == "" {
			c.File = "the record of the issue"
		}
		todo = append(todo, issueTarget{customer: c, name: name, gone: true,
			result: Result{Customer: c.Name, Environment: env, Skipped: why, CheckedAt: w.Now().UTC()}})
	}
	return todo
}

// unreachedFor is how long an issue of a target that is gone is tried again where its
// repository does not let us in: a token may get its access back.
const unreachedFor = 30 * 24 * time.Hour

// forget drops the record of a target that is gone when there is nothing left to
// try: its issue is closed, its repository is another one or takes no writes any
// more, or it was out of reach for long. GitHub says "not found" also of what the
// token may not see, so that one such answer is no reason to forget.
func (w *issueWork) forget(ctx context.Context, t issueTarget, err error) {
	stored := w.book.Targets[t.name]
	_, refused := pipeline.RefusalOf(err)
	var other *pipeline.OtherRepositoryError
	var github interface{ Cause() string }
	switch {
	case err == nil || refused || errors.As(err, &other):
		delete(w.book.Targets, t.name)
		return
	case ctx.Err() != nil || !errors.As(err, &github) || github.Cause() != "repository" && github.Cause() != "permission":
		return
	case stored.Unreached.IsZero():
		stored.Unreached = w.Now().UTC()
	case w.Now().Sub(stored.Unreached) >= unreachedFor:
		delete(w.book.Targets, t.name)
		return
	}
	w.book.Targets[t.name] = stored
}
