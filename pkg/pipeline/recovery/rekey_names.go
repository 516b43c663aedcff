package recovery

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/pipeline/registry"
)

// names seals again which customer each repository is, and which name a renamed one has.
// Of registrations the last one counts, of the records about old names each.
func (r *Rekeyer) names(ctx context.Context, keys []string, apply bool, result *RekeyResult) error {
	folders := map[string][]string{}
	var order []string
	for _, key := range keys {
		if !strings.HasPrefix(key, registry.Registrations) {
			continue
		}
		folder := path.Dir(key) + "/"
		if folders[folder] == nil {
			order = append(order, folder)
		}
		folders[folder] = append(folders[folder], key)
	}
	for _, folder := range order {
		all := registry.NewestOf(folder, folders[folder])
		name, renamed := strings.CutPrefix(folder, registry.Renames)
		if !renamed {
			all = all[len(all)-1:]
		}
		for _, key := range all {
			var err error
			if renamed {
				load := func(s record.Records) (registry.RenameRecord, error) {
					return registry.LoadRename(ctx, s, pipeline.CustomerName(strings.TrimSuffix(name, "/")), key)
				}
				base, _, _ := strings.Cut(strings.TrimSuffix(key, ".json"), rekeyed)
				err = rekeyFleet(ctx, r, key, base+rekeyed+r.Now().UTC().Format(record.LastApplyTimes)+".json", load, "remove this object: it says only that the name is not used any more", apply, result)
			} else {
				load := func(s record.Records) (registry.Registration, error) {
					return registry.LoadRegistrationAt(ctx, s, folder, key)
				}
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
func rekeyFleet[T any](ctx context.Context, r *Rekeyer, key, next string, load func(record.Records) (T, error), lost string, apply bool, result *RekeyResult) error {
	result.Checked++
	_, first := load(record.Records{Store: r.Store, Sealer: r.First})
	value, all := load(record.Records{Store: r.Store, Sealer: r.All})
	stored, is, err := classifyRekey(key, first, all, RekeyOld, "run `metapipe rekey --apply`")
	if err != nil || !is {
		return err
	}
	if stored.State == RekeyUnknown {
		stored.Until = "add its key behind the first one and run this again; where the key is gone, " + lost
	}
	if apply && stored.State == RekeyOld {
		ctx, cancel := record.CleanupContext(ctx)
		defer cancel()
		if err := record.CreateFleet(ctx, record.Records{Store: r.Store, Sealer: r.First}, next, value); err != nil {
			return fmt.Errorf("seal %s again: %w", key, err)
		}
		stored.State, stored.Until = RekeyDone, ""
	}
	result.Records = append(result.Records, stored)
	return nil
}
