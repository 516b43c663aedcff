package registry

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// checkFormerPath is the rule about the path of a history: a customer keeps what it has built
// when its path changes, unless its former path is another customer's now, which may be the
// one that has built it. A customer that has left changes its path no more: only a request
// that was accepted while it was there has shown that both paths are one customer. former is
// the path of the last apply; empty: no record says it.
func (s NameRecords) checkFormerPath(ctx context.Context, c pipeline.Customer, t pipeline.Target, former string) error {
	if former == c.Path {
		return nil
	}
	if i := slices.IndexFunc(c.Siblings, func(other pipeline.Sibling) bool { return other.Path == former }); i >= 0 {
		return &pipeline.RenamedError{Old: c.Siblings[i].Name, New: c, Former: former, Target: t, Reused: true}
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
		former = paths[0].Path
	}
	return &pipeline.RenamedError{Old: c.Name, New: c, Former: former, Target: t}
}

// otherPaths are the newest registrations of the other paths of the repository of c that
// name c.
func (s NameRecords) otherPaths(ctx context.Context, read record.Reader, c pipeline.Customer) ([]pathOf, error) {
	all, err := pathsOf(ctx, read, c.RepositoryID)
	if err != nil {
		return nil, RegistrationError(err, c)
	}
	return slices.DeleteFunc(all, func(r pathOf) bool { return r.Customer != c.Name || r.Path == c.Path }), nil
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
	return s.checkFormerPaths(ctx, c, pipeline.Target{Customer: c.Name}, paths)
}

// checkFormerPaths is checkFormerPath for registrations. One that is not verified can only
// refuse, and the refusal names it.
func (s NameRecords) checkFormerPaths(ctx context.Context, c pipeline.Customer, t pipeline.Target, paths []pathOf) error {
	for _, former := range paths {
		err := s.checkFormerPath(ctx, c, t, former.Path)
		var renamed *pipeline.RenamedError
		if errors.As(err, &renamed) && former.claimed != nil {
			renamed.Claimed = former.key
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// checkUnrecordedPath is the rule about the path of a history for a target without a record
// of an apply: the request that changed it last names its path, and the registrations of the
// name are paths that earlier applies may have failed from; read reads them.
func (s NameRecords) checkUnrecordedPath(ctx context.Context, read record.Reader, known ledger.Remembered, c pipeline.Customer, t pipeline.Target) error {
	if len(c.Siblings) == 0 && !c.Offboarded {
		return nil
	}
	former, err := s.requestPath(ctx, c, t, known.LastRequest())
	if err != nil {
		return err
	}
	if former != "" {
		if err := s.checkFormerPath(ctx, c, t, former); err != nil {
			return err
		}
	}
	paths, err := s.otherPaths(ctx, read, c)
	if err != nil {
		return err
	}
	return s.checkFormerPaths(ctx, c, t, paths)
}

// requestPath is the path that a request for t was accepted for; empty where no request of the
// repository of c can say it.
func (s NameRecords) requestPath(ctx context.Context, c pipeline.Customer, t pipeline.Target, id pipeline.RequestID) (string, error) {
	if id == "" {
		return "", nil
	}
	var read record.Reader = s
	if s.Sealer == nil { // on a laptop: what the request claims can only refuse
		read = record.UnverifiedReader{Store: s.Store}
	}
	request, err := record.LoadRequest(ctx, read, t.Customer, id)
	switch {
	case errors.Is(err, pipeline.ErrNotFound), errors.Is(err, pipeline.ErrUnknownKey):
		return "", nil
	case err != nil:
		return "", record.TamperedOr(err, fmt.Sprintf("the record of request %s, which changed %s last,", id.Short(), t.Customer))
	case request.Repository.ID != c.RepositoryID: // registrations say who owns the target
		return "", nil
	}
	return path.Dir(request.File), nil
}
