package spacelift

import (
	"encoding/base64"
	"slices"
	"strings"
)

// maxPage is the largest page of a search.
const maxPage = 50

// searchFields are what stacks can be searched by, with the constraint that each takes.
var searchFields = map[string]struct {
	constraint string
	of         func(st *Stack) []string
}{
	"administrative": {"booleanEquals", func(st *Stack) []string { return truth(st.Administrative) }},
	"locked":         {"booleanEquals", func(st *Stack) []string { return truth(st.LockedBy != "") }},
	"starred":        {"booleanEquals", func(*Stack) []string { return truth(false) }},
	"branch":         {"stringMatches", func(st *Stack) []string { return []string{st.Branch} }},
	"commit":         {"stringMatches", func(st *Stack) []string { return []string{st.Commit} }},
	"label":          {"stringMatches", func(st *Stack) []string { return st.Labels }},
	"name":           {"stringMatches", func(st *Stack) []string { return []string{st.Name} }},
	"projectRoot":    {"stringMatches", func(st *Stack) []string { return []string{st.ProjectRoot} }},
	"repository":     {"stringMatches", func(st *Stack) []string { return []string{st.Repository} }},
	"workerPool":     {"stringMatches", func(st *Stack) []string { return []string{st.WorkerPool} }},
	"state":          {"enumEquals", func(st *Stack) []string { return []string{st.state()} }},
	"vendor":         {"enumEquals", func(st *Stack) []string { return []string{strings.ToUpper(st.Vendor.Kind)} }},
}

func truth(v bool) []string {
	if v {
		return []string{"true"}
	}
	return []string{"false"}
}

func searchStacks(q *query, args map[string]any) (any, *problem) {
	in := input(args, "input")
	first := maxPage
	if n, given := whole(in["first"]); given {
		first = n
	}
	if first < 1 || first > maxPage {
		return nil, wrong("invalid first: must be between 1 and %d", maxPage)
	}
	list, p := q.found(in)
	if p != nil {
		return nil, p
	}
	if p := order(list, in); p != nil {
		return nil, p
	}
	start := 0
	if after := str(in, "after"); after != "" {
		raw, err := base64.StdEncoding.DecodeString(after)
		if err != nil {
			return nil, wrong("invalid after: %q is no cursor", after)
		}
		// A cursor is a place in the order, so what comes or goes meanwhile moves no other
		// stack to another page.
		place := string(raw)
		start, _ = slices.BinarySearchFunc(list, place, func(f foundStack, place string) int {
			if f.place <= place {
				return -1
			}
			return 1
		})
	}
	end := min(start+first, len(list))
	edges := []any{}
	for _, f := range list[start:end] {
		edges = append(edges, object{"cursor": f.cursor(), "node": q.s.stackFields(f.st)})
	}
	info := object{"hasNextPage": end < len(list), "hasPreviousPage": start > 0, "endCursor": "", "startCursor": ""}
	if end > start {
		info["startCursor"], info["endCursor"] = list[start].cursor(), list[end-1].cursor()
	}
	return object{"edges": edges, "pageInfo": info}, nil
}

// foundStack is a stack with its place in the order of a search.
type foundStack struct {
	place string
	st    *Stack
}

func (f foundStack) cursor() string { return base64.StdEncoding.EncodeToString([]byte(f.place)) }

// found are the stacks that the key sees and that all predicates of a search match.
func (q *query) found(in map[string]any) ([]foundStack, *problem) {
	predicates := objects(in, "predicates")
	var list []foundStack
	words := strings.Fields(strings.ToLower(str(in, "fullTextSearch")))
	for _, st := range q.visibleStacks() {
		all := strings.ToLower(strings.Join(append([]string{st.ID, st.Name, st.Repository, st.Description}, st.Labels...), "\n"))
		matches := !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(all, word) })
		for _, predicate := range predicates {
			good, p := matchesOne(st, predicate)
			if p != nil {
				return nil, p
			}
			matches = matches && good
		}
		if matches {
			list = append(list, foundStack{place: st.ID, st: st})
		}
	}
	// A predicate is checked, also where there is no stack.
	for _, predicate := range predicates {
		if _, p := matchesOne(&Stack{}, predicate); p != nil {
			return nil, p
		}
	}
	return list, nil
}

// matchesOne reports whether one of the values of a stack is one of those of a predicate.
func matchesOne(st *Stack, predicate map[string]any) (bool, *problem) {
	name, constraint := str(predicate, "field"), input(predicate, "constraint")
	field, known := searchFields[name]
	if !known {
		return false, wrong("unknown search field %q", name)
	}
	if constraint[field.constraint] == nil {
		return false, wrong("search field %q needs the constraint %s", name, field.constraint)
	}
	values := texts(constraint, field.constraint)
	for _, one := range members(constraint, field.constraint) {
		if v, isBool := one.(bool); isBool {
			values = append(values, truth(v)...)
		}
	}
	hit := slices.ContainsFunc(field.of(st), func(have string) bool { return slices.Contains(values, have) })
	return hit != flag(predicate, "exclude"), nil
}

// order sorts by the fields of orderBy and then by id. Stacks come by id without it.
func order(list []foundStack, in map[string]any) *problem {
	orders := objects(in, "orderBy")
	slices.Reverse(orders) // the first one decides before the others
	for _, by := range orders {
		field, known := searchFields[str(by, "field")]
		if !known {
			return wrong("unknown search field %q", str(by, "field"))
		}
		for i, f := range list {
			list[i].place = strings.Join(field.of(f.st), ",") + "\x00" + f.place
			if str(by, "direction") == "DESC" {
				list[i].place = inverted(strings.Join(field.of(f.st), ",")) + "\x00" + f.place
			}
		}
	}
	slices.SortFunc(list, func(a, b foundStack) int { return strings.Compare(a.place, b.place) })
	return nil
}

// inverted is a text that sorts the other way round.
func inverted(text string) string {
	out := make([]byte, len(text)+1)
	for i := range len(text) {
		out[i] = 255 - text[i]
	}
	out[len(text)] = 255 // a shorter text sorts behind
	return string(out)
}
