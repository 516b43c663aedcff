package jsonvalue

import (
	"strconv"

	"github.com/metapipe/metapipe/pkg/text"
)

// SameElements pairs the elements that stay. What both lists begin and end with is
// compared in place, since most lists differ in little.
func SameElements(old, planned []Side) []text.Pair {
	same := func(b, a Side) bool {
		return a.Present && !ContainsTrue(a.Unknown) && SameMarks(b.Sensitive, a.Sensitive) && Equal(b.Value, a.Value)
	}
	var pairs, tail []text.Pair
	head, m, n := 0, len(old), len(planned)
	for ; head < min(m, n) && same(old[head], planned[head]); head++ {
		pairs = append(pairs, text.Pair{A: head, B: head})
	}
	for m > head && n > head && same(old[m-1], planned[n-1]) {
		m, n = m-1, n-1
	}
	for i := range len(old) - m {
		tail = append(tail, text.Pair{A: m + i, B: n + i})
	}
	ids := map[string]int{}
	for _, p := range text.Align(elementIDs(ids, old[head:m]), elementIDs(ids, planned[head:n])) {
		pairs = append(pairs, text.Pair{A: head + p.A, B: head + p.B})
	}
	return append(pairs, tail...)
}

// elementIDs numbers elements, equal ones alike. One that is not wholly known is
// like no other.
func elementIDs(ids map[string]int, list []Side) []int {
	out := make([]int, len(list))
	for i, e := range list {
		key := string(CanonicalMarks(append(Canonical(nil, e.Value), ' '), e.Sensitive))
		if !e.Present || ContainsTrue(e.Unknown) {
			key = "?" + strconv.Itoa(len(ids))
		}
		if _, ok := ids[key]; !ok {
			ids[key] = len(ids)
		}
		out[i] = ids[key]
	}
	return out
}
