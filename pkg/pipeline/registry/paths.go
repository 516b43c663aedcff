package registry

import (
	"context"
	"errors"
	"fmt"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// pathOf is the newest registration of a path.
type pathOf struct {
	Registration
	key     string // of its object
	number  int    // of the registration
	claimed error  // why it is not verified, such as a key that is not at hand. It can only refuse.
}

// paths are the newest registrations of all paths of a repository. One that was changed is
// an error.
func (s NameRecords) paths(ctx context.Context, repository int64) ([]pathOf, error) {
	return pathsOf(ctx, s, repository)
}

// errUnverified is why what an UnverifiedReader has read is not verified.
var errUnverified = errors.New("it was not verified")

// pathsOf is paths for one of the readers.
func pathsOf(ctx context.Context, s record.Reader, repository int64) ([]pathOf, error) {
	folders, err := s.Folders(ctx, RegistrationsOf(repository))
	if err != nil {
		return nil, fmt.Errorf("look for the registrations of repository %d: %w", repository, err)
	}
	var all []pathOf
	for _, folder := range folders {
		if folder == renames {
			continue
		}
		folder = RegistrationsOf(repository) + folder
		keys, err := s.List(ctx, folder)
		if err != nil {
			return nil, fmt.Errorf("look for the registrations of repository %d: %w", repository, err)
		}
		if len(keys) == 0 { // what is left of a folder on a disk
			continue
		}
		key, unknown := fmt.Sprintf("%s%06d.json", folder, len(keys)), error(nil)
		r, err := LoadRegistrationAt(ctx, s, folder, key)
		if errors.Is(err, pipeline.ErrUnknownKey) {
			unknown = err
			r, err = LoadRegistrationAt(ctx, record.UnverifiedReader{Store: s}, folder, key)
		}
		if err != nil {
			return nil, err
		}
		if _, unverified := s.(record.UnverifiedReader); unverified {
			unknown = errUnverified
		}
		all = append(all, pathOf{r, key, len(keys), unknown})
	}
	return all, nil
}

// FormerPath is a path of the repository of c that is registered for a customer that fits,
// and whether there is one.
func (s NameRecords) FormerPath(ctx context.Context, c pipeline.Customer, fits func(pipeline.CustomerName) (bool, error)) (Registration, bool, error) {
	all, err := s.paths(ctx, c.RepositoryID)
	if err != nil {
		return Registration{}, false, RegistrationError(err, c)
	}
	for _, r := range all {
		if ok, err := fits(r.Customer); err != nil || ok {
			return r.Registration, ok, err
		}
	}
	return Registration{}, false, nil
}

// carryPaths registers the other paths that a customer has had under its old name for the
// new one: a file that gets such a path and one of the names is the same customer.
func (r *Renamer) carryPaths(ctx context.Context, in RenameInput, k known) error {
	s := NameRecords{Records: r.records()}
	all, err := s.paths(ctx, in.New.RepositoryID)
	if err != nil {
		return RegistrationError(err, in.New)
	}
	for _, path := range all {
		if path.Customer != in.Old || path.Path == in.New.Path {
			continue
		}
		c := in.New
		c.Path = path.Path
		if path.claimed != nil {
			return RegistrationError(path.claimed, c)
		}
		_, number, err := LoadRegistration(ctx, s.Store, s, c)
		if err != nil {
			return RegistrationError(err, c)
		}
		if err := Create(ctx, s.Records, c, number+1, r.after(k)); errors.Is(err, pipeline.ErrExists) {
			return busyRename(in.Old)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// oldNameLeft refuses a rename while the file with the old name is of another path that is
// registered for it: the states are those of that file, and not of the new one.
func (r *Renamer) oldNameLeft(ctx context.Context, in RenameInput) error {
	if in.Kept == nil || in.Kept.RepositoryID != in.New.RepositoryID || in.Kept.Path == in.New.Path {
		return nil
	}
	last, number, err := LoadRegistration(ctx, r.Store, r.records(), *in.Kept)
	if err != nil || number == 0 || last.Customer != in.Old {
		return RegistrationError(err, *in.Kept)
	}
	return pipeline.Usagef("the states of customer %s are those of %s, which is still there, of path %q of the same repository",
		in.Old, in.Kept.File, in.Kept.Path).
		Nextf("where %s is a new customer, give it a path that no customer of the repository has had; where it is %s under another name, "+
			"remove %s first", in.New.File, in.Old, in.Kept.File)
}
