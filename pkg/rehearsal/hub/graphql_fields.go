package hub

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// queryFields are the fields of Query in schema.graphql.
var queryFields = object{
	"viewer": resolver(func(q *query, _ map[string]any) (any, *queryProblem) {
		u := q.actor()
		return object{"login": u.Login, "databaseId": u.ID}, nil
	}),
	"organization": resolver(organizationByLogin),
	"rateLimit":    resolver(rateLimit),
	"repository":   resolver(repositoryByName),
}

// rateLimit is the allowance after this query.
func rateLimit(q *query, _ map[string]any) (any, *queryProblem) {
	b := q.s.allowance(q.call)
	used := b.used + q.points
	return object{
		"cost": q.points, "limit": b.limit, "nodeCount": q.nodes, "used": used, "remaining": max(0, b.limit-used), "resetAt": stamp(b.reset),
	}, nil
}

// repositoryByName finds a repository, also by a name of the past. What the token does not
// see is not there.
func repositoryByName(q *query, args map[string]any) (any, *queryProblem) {
	slug := fmt.Sprintf("%s/%s", args["owner"], args["name"])
	r := q.s.repos[q.s.names[strings.ToLower(slug)]]
	follow, _ := args["followRenames"].(bool)
	if r == nil || !q.token.sees(r) || !follow && !strings.EqualFold(r.slug(), slug) {
		return nil, &queryProblem{Type: "NOT_FOUND", Message: fmt.Sprintf("Could not resolve to a Repository with the name '%s'.", slug)}
	}
	return r.queried(), nil
}

// queried are the fields of a repository.
func (r *Repo) queried() object {
	v := object{
		"databaseId": r.id, "nameWithOwner": r.slug(), "isArchived": r.archived, "isPrivate": r.private,
		"isFork": r.parent != nil, "isTemplate": r.template,
		"defaultBranchRef": resolver(r.defaultBranchRef), "object": resolver(r.gitObject),
		"repositoryCustomPropertyValues": resolver(r.propertyConnection),
	}
	for field, fault := range r.queryFaults {
		v[field] = fault.resolver()
	}
	return v
}

// propertyConnection is a page of the properties that have a value.
func (r *Repo) propertyConnection(_ *query, args map[string]any) (any, *queryProblem) {
	if !r.inOrg() {
		return nil, &queryProblem{Type: "NOT_ORG_OWNED_REPO", Message: "All repositories must belong to an organization to view custom property values."}
	}
	values, isObject := r.propertyNodes()
	if !isObject {
		return nil, nil
	}
	first, after, wrong := pageOf(args, func(place string) (int, bool) {
		n, err := strconv.Atoi(place)
		return n, err == nil && n >= 0 && n <= len(values)
	})
	if wrong != nil {
		return nil, wrong
	}
	last := min(after+first, len(values))
	info := object{"hasNextPage": last < len(values), "endCursor": nil}
	if last > after {
		info["endCursor"] = cursor(strconv.Itoa(last))
	}
	return object{"nodes": values[after:last], "pageInfo": info, "totalCount": len(values)}, nil
}

// propertyNodes are the properties with a value, by their names; false where a test has
// given the repository something that is no object.
func (r *Repo) propertyNodes() ([]any, bool) {
	raw, isRaw := r.properties.(json.RawMessage)
	list := []any{}
	if !isRaw {
		all := r.effectiveProperties()
		for _, name := range slices.Sorted(maps.Keys(all)) {
			if all[name] != nil {
				list = append(list, object{"propertyName": name, "value": all[name]})
			}
		}
		return list, true
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	if open, err := decoder.Token(); err != nil || open != json.Delim('{') {
		return nil, false
	}
	for decoder.More() { // a name can be there twice
		var value json.RawMessage
		name, err := decoder.Token()
		if err != nil || decoder.Decode(&value) != nil {
			return nil, false
		}
		if string(value) != "null" {
			list = append(list, object{"propertyName": name, "value": value})
		}
	}
	return list, true
}

// whole is a number of the query, or one of its variables.
func whole(v any) (int, bool) {
	switch n := v.(type) {
	case int64:
		return int(n), true
	case float64:
		return int(n), true
	}
	return 0, false
}

// pageOf reads the arguments of a list. before says how many entries lie before a place, or
// that there is no such place.
func pageOf(args map[string]any, before func(place string) (int, bool)) (first, after int, wrong *queryProblem) {
	asked, isNumber := whole(args["first"])
	if !isNumber {
		return 0, 0, &queryProblem{Type: "MISSING_PAGINATION_BOUNDARIES", Message: "You must provide a `first` or `last` value to properly paginate the connection."}
	}
	if asked < 0 || asked > maxNodesPage {
		return 0, 0, &queryProblem{Type: "EXCESSIVE_PAGINATION", Message: fmt.Sprintf("Requesting %d records on the connection exceeds the `first` limit of %d records.", asked, maxNodesPage)}
	}
	text, given := args["after"].(string)
	if !given {
		return asked, 0, nil
	}
	if raw, err := base64.StdEncoding.DecodeString(text); err == nil {
		if place, isCursor := strings.CutPrefix(string(raw), cursorPrefix); isCursor {
			if after, known := before(place); known {
				return asked, after, nil
			}
		}
	}
	return 0, 0, &queryProblem{Type: "INVALID_CURSOR_ARGUMENTS", Message: fmt.Sprintf("`%s` does not appear to be a valid cursor.", text)}
}

const cursorPrefix = "cursor:v2:"

// cursor is a place in a list.
func cursor(place string) string {
	return base64.StdEncoding.EncodeToString([]byte(cursorPrefix + place))
}
