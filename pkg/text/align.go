package text

import (
	"slices"
	"sort"
)

// Pair says that element A of one sequence is element B of another one.
type Pair struct{ A, B int }

const (
	maxCells = 1 << 18 // of the table that finds the longest common subsequence
	maxSplit = 24      // how often long sequences are split by what is unique in them
)

// Align returns the longest common subsequence of a and b, in their order. The
// work is linear in the lengths but for a logarithm: sequences that are too long
// for the exact answer are split at the elements that stand once in both.
func Align[E comparable](a, b []E) []Pair {
	var out []Pair
	align(a, b, Pair{}, 0, &out)
	return out
}

func align[E comparable](a, b []E, at Pair, depth int, out *[]Pair) {
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		*out = append(*out, at)
		a, b, at = a[1:], b[1:], Pair{at.A + 1, at.B + 1}
	}
	tail := 0
	for tail < len(a) && tail < len(b) && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	m, n := len(a)-tail, len(b)-tail
	switch {
	case m == 0 || n == 0:
	case m <= maxCells/n:
		longest(a[:m], b[:n], at, out)
	case depth < maxSplit:
		split(a[:m], b[:n], at, depth, out)
	}
	for i := range tail {
		*out = append(*out, Pair{at.A + m + i, at.B + n + i})
	}
}

// longest finds the exact answer in time and space of the product of the lengths.
func longest[E comparable](a, b []E, at Pair, out *[]Pair) {
	width := len(b) + 1
	table := make([]int32, (len(a)+1)*width) // common elements from i and j on
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				table[i*width+j] = table[(i+1)*width+j+1] + 1
			} else {
				table[i*width+j] = max(table[(i+1)*width+j], table[i*width+j+1])
			}
		}
	}
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] == b[j]:
			*out = append(*out, Pair{at.A + i, at.B + j})
			i, j = i+1, j+1
		case table[(i+1)*width+j] >= table[i*width+j+1]:
			i++
		default:
			j++
		}
	}
}

// split aligns the elements that stand once in both, and then what lies between
// them. Without such elements nothing is common.
func split[E comparable](a, b []E, at Pair, depth int, out *[]Pair) {
	from := Pair{}
	for _, anchor := range append(increasing(unique(a, b)), Pair{len(a), len(b)}) {
		if anchor.A == len(a) && from == (Pair{}) {
			return
		}
		align(a[from.A:anchor.A], b[from.B:anchor.B], Pair{at.A + from.A, at.B + from.B}, depth+1, out)
		if anchor.A < len(a) {
			*out = append(*out, Pair{at.A + anchor.A, at.B + anchor.B})
		}
		from = Pair{anchor.A + 1, anchor.B + 1}
	}
}

// unique pairs the elements that stand once in a and once in b, in the order of a.
func unique[E comparable](a, b []E) []Pair {
	type seen struct{ a, b, at int }
	count := make(map[E]seen, len(a))
	for _, e := range a {
		s := count[e]
		s.a++
		count[e] = s
	}
	for j, e := range b {
		if s, ok := count[e]; ok {
			s.b, s.at = s.b+1, j
			count[e] = s
		}
	}
	var pairs []Pair
	for i, e := range a {
		if s := count[e]; s.a == 1 && s.b == 1 {
			pairs = append(pairs, Pair{i, s.at})
		}
	}
	return pairs
}

// increasing is a longest part of pairs in which B grows with A.
func increasing(pairs []Pair) []Pair {
	ends := make([]int, 0, len(pairs)) // of the lowest chain of each length
	before := make([]int, len(pairs))
	for i, p := range pairs {
		n := sort.Search(len(ends), func(k int) bool { return pairs[ends[k]].B >= p.B })
		before[i] = -1
		if n > 0 {
			before[i] = ends[n-1]
		}
		if n == len(ends) {
			ends = append(ends, i)
		} else {
			ends[n] = i
		}
	}
	var chain []Pair
	if len(ends) > 0 {
		for i := ends[len(ends)-1]; i >= 0; i = before[i] {
			chain = append(chain, pairs[i])
		}
	}
	slices.Reverse(chain)
	return chain
}
