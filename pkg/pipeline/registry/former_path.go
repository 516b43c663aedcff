package registry

import (
	"context"
	"slices"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// checkFormerPath is the rule about the path of a history: a customer keeps what it has built
// when its path changes, unless its former path is another customer's now, which may be the
// one that has built it. A customer that has left changes its path no more: only a request
// that was accepted while it was there has shown that both paths are one customer. former is
// the path of the last apply; empty: no record says it.
func (s NameRecords) checkFormerPath(ctx context.Context, c pipeline.Customer, env pipeline.Environment, former string) error {
	if former == c.Path {
		return nil
	}
	if i := slices.IndexFunc(c.Siblings, func(other pipeline.Sibling) bool { return other.Path == former }); i >= 0 {
		return &pipeline.RenamedError{Old: c.Siblings[i].Name, New: c, Former: former, Environment: env, Reused: true}
	}
	if !c.Offboarded {
		return nil
	}
	// Who can forge a registration here is found out by fetch-vars, which verifies it.
	read := record.UnverifiedReader{Store: s.Store}
	last, number, err := LoadRegistration(ctx, s.Store, read, c)
	if err != nil {
		return RegistrationError(err, c)
	}
	if number > 0 && last.Customer == c.Name {
		return nil
	}
	if former == "" {
		paths, err := s.otherPaths(ctx, read, c)
		if err != nil || len(paths) == 0 {
			return err
		}
		former = paths[0]
	}
	return &pipeline.RenamedError{Old: c.Name, New: c, Former: former, Environment: env}
}

// otherPaths are the paths of the repository of c, but for its own, that are registered for
// its name.
func (s NameRecords) otherPaths(ctx context.Context, read record.Reader, c pipeline.Customer) ([]string, error) {
	all, err := pathsOf(ctx, read, c.RepositoryID)
	if err != nil {
		return nil, RegistrationError(err, c)
	}
	var paths []string
	for _, r := range all {
		if r.Customer == c.Name && r.Path != c.Path {
			paths = append(paths, r.Path)
		}
	}
	return paths, nil
}

// CheckUnrecorded is the rule about the path of a history for targets that failed applies
// alone have changed: what is registered for the name, and verified, are its former paths.
func (s NameRecords) CheckUnrecorded(ctx context.Context, c pipeline.Customer) error {
	paths, err := s.otherPaths(ctx, s, c)
	if err != nil || len(paths) == 0 {
		return err
	}
	empty, err := s.Empty(ctx, c.Name)
	if err != nil || empty {
		return err
	}
	for _, former := range paths {
		if err := s.checkFormerPath(ctx, c, "", former); err != nil {
			return err
		}
	}
	return nil
}
