package jsonvalue

import (
	"github.com/metapipe/metapipe/pkg/text"
)

// maxMatches bounds the pairs of elements that are compared in one gap.
const maxMatches = 10_000

// Matching pairs the elements of a gap that are the same thing, changed, in the
// order of both lists: objects and lists that have most in common. Other elements
// are paired only where as many came as went.
func Matching(old, planned []Side) []text.Pair {
	m, n := len(old), len(planned)
	if m == 0 || n == 0 {
		return nil
	}
	if m > maxMatches/n {
		return inPlace(old, planned)
	}
	if m == 1 && n == 1 && inCommon(old[0], planned[0]) {
		return []text.Pair{{}}
	}
	width := n + 1
	alike := make([]int, m*n)
	best := make([]int, (m+1)*width) // likeness in all from i and j on
	for i := m - 1; i >= 0; i-- {
		for j := n - 1; j >= 0; j-- {
			here := likeness(old[i], planned[j])
			if here == 0 && m == n && i == j && !isContainer(old[i]) && !isContainer(planned[j]) {
				here = 1
			}
			alike[i*n+j] = here
			best[i*width+j] = max(best[(i+1)*width+j], best[i*width+j+1])
			if here > 0 {
				best[i*width+j] = max(best[i*width+j], here+best[(i+1)*width+j+1])
			}
		}
	}
	var pairs []text.Pair
	for i, j := 0, 0; i < m && j < n; {
		switch total := best[i*width+j]; {
		case alike[i*n+j] > 0 && total == alike[i*n+j]+best[(i+1)*width+j+1]:
			pairs = append(pairs, text.Pair{A: i, B: j})
			i, j = i+1, j+1
		case total == best[(i+1)*width+j]:
			i++
		default:
			j++
		}
	}
	return pairs
}

// inPlace is for gaps that are too big to compare each with each: only elements at
// the same place are.
func inPlace(old, planned []Side) []text.Pair {
	var pairs []text.Pair
	for i := range min(len(old), len(planned)) {
		if likeness(old[i], planned[i]) > 0 {
			pairs = append(pairs, text.Pair{A: i, B: i})
		}
	}
	return pairs
}

func isContainer(s Side) bool { return s.Present && (IsObject(s.Value) || IsList(s.Value)) }

// inCommon reports that two elements share anything. That is enough where one is
// left on each side: there is no other that it could be.
func inCommon(b, a Side) bool {
	if b.Sensitive == true || a.Sensitive == true || a.Unknown == true || !a.Present {
		return false
	}
	same := 0
	if x, ok := b.Value.(map[string]any); ok {
		if y, ok := a.Value.(map[string]any); ok {
			same, _ = commonKeys(x, y)
		}
	}
	if x, ok := b.Value.([]any); ok && IsList(a.Value) {
		same, _ = commonMembers(x, a.Value.([]any))
	}
	return same > 0
}

// likeness says how much two elements have in common, in parts of 1000; 0 when
// they are two things. Values that are empty on both sides say nothing.
func likeness(b, a Side) int {
	if b.Sensitive == true || a.Sensitive == true || a.Unknown == true || !a.Present {
		return 0
	}
	x, isX := b.Value.(map[string]any)
	y, isY := a.Value.(map[string]any)
	if !isX || !isY {
		if IsList(b.Value) && IsList(a.Value) {
			return likeLists(b.Value.([]any), a.Value.([]any))
		}
		return 0
	}
	return enough(commonKeys(x, y))
}

// whole is what a member counts that is equal on both sides.
const whole = 1000

// commonKeys counts what two objects have in common, in parts of whole. A list in
// both counts by its members.
func commonKeys(x, y map[string]any) (same, all int) {
	for key, v := range x {
		w, ok := y[key]
		if ok && IsEmpty(v) && IsEmpty(w) {
			continue
		}
		all += whole
		if ok {
			same += common(v, w)
		}
	}
	for key, v := range y {
		if _, ok := x[key]; !ok && !IsEmpty(v) {
			all += whole
		}
	}
	return same, all
}

// common is the part of whole that two values share.
func common(v, w any) int {
	if Equal(v, w) {
		return whole
	}
	x, isX := v.([]any)
	y, isY := w.([]any)
	if isX && isY && len(x)+len(y) > 0 {
		same, all := commonMembers(x, y)
		return whole * same / all
	}
	return 0
}

func likeLists(x, y []any) int {
	if len(x)+len(y) == 0 {
		return 0
	}
	return enough(commonMembers(x, y))
}

// commonMembers counts the members that two lists share, wherever they are, in
// parts of whole. Its time is linear. Where one member is left on each side, what
// these have in common counts too.
func commonMembers(x, y []any) (same, all int) {
	left := map[string][]any{}
	for _, v := range x {
		key := string(Canonical(nil, v))
		left[key] = append(left[key], v)
	}
	shared := 0
	var rest any
	for _, w := range y {
		key := string(Canonical(nil, w))
		if n := len(left[key]); n > 0 {
			left[key] = left[key][:n-1]
			shared++
		} else {
			rest = w
		}
	}
	same = whole * shared
	if len(x)-shared == 1 && len(y)-shared == 1 {
		for _, vs := range left {
			if len(vs) == 1 {
				same += commonInside(vs[0], rest)
			}
		}
	}
	return same, whole * max(len(x), len(y))
}

func commonInside(v, w any) int {
	x, isX := v.(map[string]any)
	y, isY := w.(map[string]any)
	if !isX || !isY {
		return common(v, w)
	}
	same, all := commonKeys(x, y)
	return whole * same / max(all, 1)
}

// enough is the likeness of things of which at least half is the same.
func enough(same, all int) int {
	if all == 0 || 2*same < all {
		return 0
	}
	return 1 + 1000*same/all
}
