package terraform

import (
	"maps"
	"slices"
	"sort"
	"strings"
)

// matcher finds the longest of many strings at each place of a text. The strings
// are sorted; shorter links each to the longest other one that it begins with.
type matcher struct {
	sorted  []string
	shorter []int
	first   [1 << 10]uint64 // a set of hashes of the first four bytes
}

func newMatcher(set secretSet) *matcher {
	if len(set) == 0 {
		return nil
	}
	m := &matcher{sorted: slices.Sorted(maps.Keys(set))}
	m.shorter = make([]int, len(m.sorted))
	var open []int // prefixes of the string at hand
	for i, s := range m.sorted {
		for len(open) > 0 && !strings.HasPrefix(s, m.sorted[open[len(open)-1]]) {
			open = open[:len(open)-1]
		}
		m.shorter[i] = -1
		if len(open) > 0 {
			m.shorter[i] = open[len(open)-1]
		}
		open = append(open, i)
		h := firstFour(s)
		m.first[h>>6] |= 1 << (h & 63)
	}
	return m
}

// firstFour hashes the first four bytes of s to 16 bits.
func firstFour(s string) uint32 {
	return (uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24) * 2654435761 >> 16
}

// replace puts sensitiveText in the place of every match. Matches that overlap
// are replaced together, so that no end of one is left.
func (m *matcher) replace(s string) string {
	if m == nil || len(s) < minSecret {
		return s
	}
	var out strings.Builder
	from, end := 0, 0 // s[:from] is written; a match reaches to end
	open := false
	for i := 0; i+minSecret <= len(s); i++ {
		if open && i >= end {
			out.WriteString(sensitiveText)
			from, open = end, false
		}
		h := firstFour(s[i:])
		if m.first[h>>6]&(1<<(h&63)) == 0 {
			continue
		}
		if n := m.longest(s[i:]); n > 0 {
			if !open {
				out.WriteString(s[from:i])
				open = true
			}
			end = max(end, i+n)
		}
	}
	if open {
		out.WriteString(sensitiveText)
		from = end
	}
	if from == 0 {
		return s
	}
	out.WriteString(s[from:])
	return out.String()
}

// longest is the length of the longest string that s begins with, 0 for none. It
// is s itself, or a beginning of the last string before s.
func (m *matcher) longest(s string) int {
	i := sort.Search(len(m.sorted), func(i int) bool { return m.sorted[i] > s }) - 1
	for i >= 0 && !strings.HasPrefix(s, m.sorted[i]) {
		i = m.shorter[i]
	}
	if i < 0 {
		return 0
	}
	return len(m.sorted[i])
}
