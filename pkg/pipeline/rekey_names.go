package pipeline

import (
	"context"
	"fmt"
	"path"
	"strings"
)

// names seals again which customer each repository is, and which name a renamed one has.
// Of Registrations the last one counts, of the records about old names each.
func (r *Rekeyer) names(ctx context.Context, keys []string, apply bool, result *RekeyResult) error {
	folders := map[string][]string{}
	var order []string
	for _, key := range keys {
		if !strings.HasPrefix(key, Registrations) {
			continue
		}
		folder := path.Dir(key) + "/"
		if folders[folder] == nil {
			order = append(order, folder)
		}
		folders[folder] = append(folders[folder], key)
	}
	for _, folder := range order {
		all := NewestOf(folder, folders[folder])
		name, renamed := strings.CutPrefix(folder, Renames)
		if !renamed {
			all = all[len(all)-1:]
		}
		for _, key := range all {
			var err error
			if renamed {
				load := func(s Records) (RenameRecord, error) {
					return LoadRename(ctx, s, CustomerName(strings.TrimSuffix(name, "/")), key)
				}
				base, _, _ := strings.Cut(strings.TrimSuffix(key, ".json"), rekeyed)
				err = rekeyFleet(ctx, r, key, base+rekeyed+r.Now().UTC().Format(LastApplyTimes)+".json", load, "remove this object: it says only that the name is not used any more", apply, result)
			} else {
				load := func(s Records) (Registration, error) { return LoadRegistrationAt(ctx, s, folder, key) }
				err = rekeyFleet(ctx, r, key, fmt.Sprintf("%s%06d.json", folder, len(folders[folder])+1), load, "the next request of the customer registers it again", apply, result)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// rekeyFleet seals one record of the fleet again, as next.
func rekeyFleet[T any](ctx context.Context, r *Rekeyer, key, next string, load func(Records) (T, error), lost string, apply bool, result *RekeyResult) error {
	result.Checked++
	_, first := load(Records{Store: r.Store, Sealer: r.First})
	value, all := load(Records{Store: r.Store, Sealer: r.All})
	stored, is, err := classifyRekey(key, first, all, RekeyOld, "run `metapipe rekey --apply`")
	if err != nil || !is {
		return err
	}
	if stored.State == RekeyUnknown {
		stored.Until = "add its key behind the first one and run this again; where the key is gone, " + lost
	}
	if apply && stored.State == RekeyOld {
		ctx, cancel := CleanupContext(ctx)
		defer cancel()
		if err := CreateFleet(ctx, Records{Store: r.Store, Sealer: r.First}, next, value); err != nil {
			return fmt.Errorf("seal %s again: %w", key, err)
		}
		stored.State, stored.Until = RekeyDone, ""
	}
	result.Records = append(result.Records, stored)
	return nil
}
