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
	"rateLimit":  resolver(rateLimit),
	"repository": resolver(repositoryByName),
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
	return object{
		"databaseId": r.id, "nameWithOwner": r.slug(), "isArchived": r.archived, "isPrivate": r.private,
		"repositoryCustomPropertyValues": resolver(r.propertyConnection),
	}, nil
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
	first, after, wrong := pageOf(args, len(values))
	if wrong != nil {
		return nil, wrong
	}
	last := min(after+first, len(values))
	info := object{"hasNextPage": last < len(values), "endCursor": nil}
	if last > after {
		info["endCursor"] = cursor(last)
	}
	return object{"nodes": values[after:last], "pageInfo": info, "totalCount": len(values)}, nil
}

// propertyNodes are the properties with a value, by their names; false where a test has
// given the repository something that is no object.
func (r *Repo) propertyNodes() ([]object, bool) {
	raw, isRaw := r.properties.(json.RawMessage)
	list := []object{}
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

// pageOf reads the arguments of a list of n entries.
func pageOf(args map[string]any, n int) (first, after int, wrong *queryProblem) {
	asked, isNumber := args["first"].(int64)
	if !isNumber {
		return 0, 0, &queryProblem{Type: "MISSING_PAGINATION_BOUNDARIES", Message: "You must provide a `first` or `last` value to properly paginate the connection."}
	}
	if asked < 0 || asked > maxNodesPage {
		return 0, 0, &queryProblem{Type: "EXCESSIVE_PAGINATION", Message: fmt.Sprintf("Requesting %d records on the connection exceeds the `first` limit of %d records.", asked, maxNodesPage)}
	}
	text, given := args["after"].(string)
	if !given {
		return int(asked), 0, nil
	}
	for at := range n + 1 {
		if cursor(at) == text {
			return int(asked), at, nil
		}
	}
	return 0, 0, &queryProblem{Type: "INVALID_CURSOR_ARGUMENTS", Message: fmt.Sprintf("`%s` does not appear to be a valid cursor.", text)}
}

// cursor is the place behind n entries.
func cursor(n int) string {
	return base64.StdEncoding.EncodeToString([]byte("cursor:v2:" + strconv.Itoa(n)))
}
