package spacelift

import (
	"maps"
	"slices"
	"strings"
)

// within reports whether a space is another one or below it.
func (s *Server) within(id, above string) bool {
	for range len(s.spaces) + 1 {
		if id == above {
			return true
		}
		parent := s.spaces[id]
		if parent == nil || parent.parent == "" {
			return false
		}
		id = parent.parent
	}
	return false
}

// inherits reports whether what lies in the space `from` can be used in another one: in the
// space itself and in those below it that inherit.
func (s *Server) inherits(id, from string) bool {
	for range len(s.spaces) + 1 {
		if id == from {
			return true
		}
		one := s.spaces[id]
		if one == nil || !one.inherit || one.parent == "" {
			return false
		}
		id = one.parent
	}
	return false
}

// mayWrite reports whether the key behind the request may read and write in a space.
func (q *query) mayWrite(id string) bool {
	k := q.key()
	if k == nil || q.s.spaces[id] == nil {
		return false
	}
	return k.rights.Spaces == nil || slices.ContainsFunc(k.rights.Spaces, func(own string) bool { return q.s.within(id, own) })
}

// sees reports whether the key may know a space and the policies, contexts and worker pools
// in it: also those that its own spaces inherit. Stacks are not inherited.
func (q *query) sees(id string) bool {
	if q.mayWrite(id) {
		return true
	}
	k := q.key()
	return k != nil && slices.ContainsFunc(k.rights.Spaces, func(own string) bool { return q.s.inherits(own, id) })
}

func (q *query) isAdmin() bool {
	k := q.key()
	return k != nil && k.rights.Admin
}

// defaultSpace is where a stack comes to that names none.
func (s *Server) defaultSpace() string {
	if s.spaces["legacy"] != nil {
		return "legacy"
	}
	return rootSpace
}

func (sp *space) fields() object {
	return object{
		"id": sp.id, "name": sp.name, "description": sp.description, "inheritEntities": sp.inherit,
		"parentSpace": orNull(sp.parent), "labels": anyList(sp.labels),
	}
}

func spaceByID(q *query, args map[string]any) (any, *problem) {
	sp := q.s.spaces[str(args, "id")]
	if sp == nil || !q.sees(sp.id) {
		return nil, unauthorized()
	}
	return sp.fields(), nil
}

func spaces(q *query, _ map[string]any) (any, *problem) {
	list := []any{}
	for _, id := range slices.Sorted(maps.Keys(q.s.spaces)) {
		if q.sees(id) {
			list = append(list, q.s.spaces[id].fields())
		}
	}
	return list, nil
}

func workerPools(q *query, _ map[string]any) (any, *problem) {
	list := []any{}
	for _, id := range slices.Sorted(maps.Keys(q.s.pools)) {
		if pool := q.s.pools[id]; q.sees(pool.space) {
			list = append(list, pool.fields())
		}
	}
	return list, nil
}

func workerPoolByID(q *query, args map[string]any) (any, *problem) {
	pool := q.s.pools[str(args, "id")]
	if pool == nil {
		return nil, nil
	}
	if !q.sees(pool.space) {
		return nil, unauthorized()
	}
	return pool.fields(), nil
}

func (e *entity) fields() object { return object{"id": e.id, "name": e.name, "space": e.space} }

// slugOf makes an id of a name.
func slugOf(name string) string {
	var b strings.Builder
	gap := false
	for _, r := range strings.ToLower(name) {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			if gap && b.Len() > 0 {
				b.WriteByte('-')
			}
			gap = false
			b.WriteRune(r)
			continue
		}
		gap = true
	}
	return b.String()
}

func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func anyList(list []string) []any {
	out := make([]any, 0, len(list))
	for _, one := range list {
		out = append(out, one)
	}
	return out
}
