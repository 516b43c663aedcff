package sources

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline/compliance"
	"github.com/metapipe/metapipe/pkg/pipeline/sourcesync"
)

// OwnerField is the one field of the teams of GitHub: the slug of the team that owns a repository.
const OwnerField = "owner"

// readTeams says which team owns each repository: the only one with admin, else the only one with maintain.
func readTeams(ctx context.Context, o Options) ([]sourcesync.Record, error) {
	var all []sourcesync.Record
	for _, organization := range o.Organizations {
		teams, err := o.Teams(ctx, organization)
		if err != nil {
			return nil, fmt.Errorf("read the teams of %s: %w", organization, err)
		}
		admins, maintainers := map[int64][]string{}, map[int64][]string{}
		seen := map[int64]bool{}
		var ids []int64
		for _, t := range teams {
			for id, permission := range t.Permissions {
				if !seen[id] {
					seen[id] = true
					ids = append(ids, id)
				}
				switch permission {
				case compliance.Admin:
					admins[id] = append(admins[id], t.Slug)
				case compliance.Maintain:
					maintainers[id] = append(maintainers[id], t.Slug)
				}
			}
		}
		slices.Sort(ids)
		for _, id := range ids {
			key := strconv.FormatInt(id, 10)
			all = append(all, sourcesync.Record{Where: "repository " + key, Key: key, Fields: map[string]sourcesync.Value{OwnerField: owner(admins[id], maintainers[id])}})
		}
	}
	return all, nil
}

func owner(admins, maintainers []string) sourcesync.Value {
	for _, level := range []struct {
		slugs      []string
		permission string
	}{{admins, "admin"}, {maintainers, "maintain"}} {
		switch len(level.slugs) {
		case 0:
		case 1:
			return sourcesync.Value{Text: level.slugs[0]}
		default:
			slices.Sort(level.slugs)
			return sourcesync.Value{Unclear: fmt.Sprintf("%d teams have %s: %s", len(level.slugs), level.permission, strings.Join(level.slugs, ", "))}
		}
	}
	return sourcesync.Value{}
}
