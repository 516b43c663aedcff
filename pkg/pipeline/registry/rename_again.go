package registry

import (
	"context"
	"errors"
	"fmt"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// unreadRenames are the keys of the records below the old name that no key at hand opens, and
// that claim to be of the customer's repository. cause is returned where there is none. A
// claim is enough to ask for: the operator names both names, and the file the repository.
func (r *Renamer) unreadRenames(ctx context.Context, in RenameInput, cause error) ([]string, error) {
	prefix := renamePrefix(in.New.RepositoryID, in.Old)
	if in.Kept != nil && in.Kept.RepositoryID == in.New.RepositoryID {
		return nil, pipeline.Usagef("%s exists, so %s is the name of a customer of the same repository again", in.Kept.File, in.Old).
			Nextf("remove the objects below %s that no key opens: `metapipe rekey` lists them", prefix)
	}
	keys, err := r.Store.List(ctx, prefix)
	if err != nil {
		return nil, err
	}
	var unread []string
	for _, key := range NewestOf(prefix, keys) {
		_, err := LoadRename(ctx, r.records(), key)
		if err == nil {
			continue
		}
		if !errors.Is(err, pipeline.ErrUnknownKey) {
			return nil, err
		}
		if _, err := LoadRename(ctx, record.UnverifiedReader{Store: r.Store}, key); err != nil {
			return nil, err
		}
		unread = append(unread, key)
	}
	if len(unread) == 0 {
		return nil, cause
	}
	return unread, nil
}

// recordAgain writes that the customer was renamed once more, in place of records whose key
// is gone. Nothing of these records is taken over.
func (r *Renamer) recordAgain(ctx context.Context, in RenameInput, k known, apply bool) (RenameResult, error) {
	result := RenameResult{Old: in.Old, New: in.New.Name, Moves: []RenameMove{}, Applied: apply}
	stored := RenameRecord{RepositoryID: in.New.RepositoryID, Path: in.New.Path, From: in.Old, To: in.New.Name, Actor: in.Actor, Run: in.Run, At: r.after(k)}
	for _, key := range k.unread {
		again := AgainKey(key, stored.At)
		result.Moves = append(result.Moves, RenameMove{What: MoveRename, From: key, To: again})
		if !apply {
			continue
		}
		if err := record.CreateFleet(ctx, r.records(), again, stored); err != nil {
			return result, fmt.Errorf("record again that customer %s is %s now: %w", in.Old, in.New.Name, err)
		}
	}
	return result, nil
}
