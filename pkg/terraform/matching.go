package terraform

import "github.com/metapipe/metapipe/pkg/text"

// maxMatches bounds the pairs of elements that are compared in one gap.
const maxMatches = 10_000

// matching pairs the elements of a gap that are the same thing, changed, in the
// order of both lists: objects and lists that have most in common. Other elements
// are paired only where as many came as went.
func matching(old, planned []side) []text.Pair {
	m, n := len(old), len(planned)
	if m == 0 || n == 0 {
		return nil
	}
	if m > maxMatches/n {
		return inPlace(old, planned)
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
func inPlace(old, planned []side) []text.Pair {
	var pairs []text.Pair
	for i := range min(len(old), len(planned)) {
		if likeness(old[i], planned[i]) > 0 {
			pairs = append(pairs, text.Pair{A: i, B: i})
		}
	}
	return pairs
}

func isContainer(s side) bool { return s.present && (isObject(s.value) || isList(s.value)) }

// likeness says how much two elements have in common, in parts of 1000; 0 when
// they are two things. Values that are empty on both sides say nothing.
func likeness(b, a side) int {
	if b.sensitive == true || a.sensitive == true || a.unknown == true || !a.present {
		return 0
	}
	x, isX := b.value.(map[string]any)
	y, isY := a.value.(map[string]any)
	if !isX || !isY {
		if isList(b.value) && isList(a.value) {
			return likeLists(b.value.([]any), a.value.([]any))
		}
		return 0
	}
	same, all := 0, 0
	for key, v := range x {
		w, ok := y[key]
		switch {
		case ok && isEmpty(v) && isEmpty(w):
		case ok && sameValue(v, w):
			same, all = same+1, all+1
		default:
			all++
		}
	}
	for key, mark := range y {
		if _, ok := x[key]; !ok && !isEmpty(mark) {
			all++
		}
	}
	return enough(same, all)
}

func likeLists(x, y []any) int {
	same := 0
	for i := range min(len(x), len(y)) {
		if sameValue(x[i], y[i]) {
			same++
		}
	}
	return enough(same, max(len(x), len(y)))
}

// enough is the likeness of things of which at least half is the same.
func enough(same, all int) int {
	if all == 0 || 2*same < all {
		return 0
	}
	return 1 + 1000*same/all
}
