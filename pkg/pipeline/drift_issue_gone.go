package pipeline

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
)

// gone are the open issues of targets that are not in the registry any more: no
// scan would ever look at them again.
func (w *issueWork) gone(customers []Customer) []issueTarget {
	byName := map[CustomerName]Customer{}
	for _, c := range customers {
		byName[c.Name] = c
	}
	var todo []issueTarget
	for _, name := range slices.Sorted(maps.Keys(w.book.Targets)) {
		record := w.book.Targets[name]
		customer, environment, _ := strings.Cut(name, "/")
		env := Environment(environment)
		c, registered := byName[CustomerName(customer)]
		if registered && c.Allows(env) || !record.Open || record.Number == 0 {
			continue
		}
		why := "the customer " + customer + " is not registered any more"
		if registered {
			why = environment + " is no environment of " + customer + " any more"
		}
		// The repository is the one that the issue was written to.
		c.Name, c.Repository, c.RepositoryID = CustomerName(customer), record.Slug, record.Repository
		if c.File == "" {
			c.File = "the record of the issue"
		}
		todo = append(todo, issueTarget{customer: c, name: name, gone: true,
			result: DriftResult{Customer: c.Name, Environment: env, Skipped: why, CheckedAt: w.Now().UTC()}})
	}
	return todo
}

// forget drops the record of a target that is gone when there is nothing left to
// try: its issue is closed, or its repository is out of reach for good.
func (w *issueWork) forget(ctx context.Context, t issueTarget, err error) {
	var github interface{ Cause() string }
	if err == nil || errors.Is(err, errOtherRepository) ||
		errors.As(err, &github) && (github.Cause() == "repository" || github.Cause() == "permission") && ctx.Err() == nil {
		delete(w.book.Targets, t.name)
	}
}

// errOtherRepository is a name that was given to another repository.
var errOtherRepository = errors.New("the name now belongs to another repository")
