package text

import (
	"slices"
	"sort"
	"strings"
)

// Matcher finds the longest of many strings at each place of a text. The strings
// are sorted; shorter links each to the longest other one that it begins with.
type Matcher struct {
	sorted  []string
	shorter []int
	longest int
	first   [1 << 10]uint64 // a set of hashes of the first four bytes
}

// NewMatcher returns a matcher of strings that have MinSecret bytes or more;
// shorter ones are left out. It is nil where none is left, and a nil Matcher
// finds nothing.
func NewMatcher(texts []string) *Matcher {
	sorted := slices.DeleteFunc(slices.Clone(texts), func(s string) bool { return len(s) < MinSecret })
	if len(sorted) == 0 {
		return nil
	}
	slices.Sort(sorted)
	m := &Matcher{sorted: slices.Compact(sorted)}
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
		m.longest = max(m.longest, len(s))
		h := firstFour(s)
		m.first[h>>6] |= 1 << (h & 63)
	}
	return m
}

// firstFour hashes the first four bytes of s to 16 bits.
func firstFour(s string) uint32 {
	return (uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24) * 2654435761 >> 16
}

// Replace puts mark in the place of every match. Matches that overlap are
// replaced together, so that no end of one is left.
func (m *Matcher) Replace(s, mark string) string {
	if m == nil || len(s) < MinSecret {
		return s
	}
	var out strings.Builder
	from, end := 0, 0 // s[:from] is written; a match reaches to end
	open := false
	for i := 0; i+MinSecret <= len(s); i++ {
		if open && i >= end {
			out.WriteString(mark)
			from, open = end, false
		}
		if n := m.Match(s[i:]); n > 0 {
			if !open {
				out.WriteString(s[from:i])
				open = true
			}
			end = max(end, i+n)
		}
	}
	if open {
		out.WriteString(mark)
		from = end
	}
	if from == 0 {
		return s
	}
	out.WriteString(s[from:])
	return out.String()
}

// Match is the length of the longest string that s begins with, 0 for none. It
// is s itself, or a beginning of the last string before s.
func (m *Matcher) Match(s string) int {
	if m == nil || len(s) < MinSecret {
		return 0
	}
	if h := firstFour(s); m.first[h>>6]&(1<<(h&63)) == 0 {
		return 0
	}
	i := sort.Search(len(m.sorted), func(i int) bool { return m.sorted[i] > s }) - 1
	for i >= 0 && !strings.HasPrefix(s, m.sorted[i]) {
		i = m.shorter[i]
	}
	if i < 0 {
		return 0
	}
	return len(m.sorted[i])
}

// Begins reports whether s is the beginning of one of the strings and shorter.
func (m *Matcher) Begins(s string) bool {
	if m == nil || len(s) >= m.longest {
		return false
	}
	i := sort.Search(len(m.sorted), func(i int) bool { return m.sorted[i] > s })
	return i < len(m.sorted) && strings.HasPrefix(m.sorted[i], s)
}

// Longest is the length of the longest string, in bytes.
func (m *Matcher) Longest() int {
	if m == nil {
		return 0
	}
	return m.longest
}
