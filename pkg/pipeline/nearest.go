package pipeline

import "strings"

// Nearest returns the word of known that was probably meant: at most one edit in
// three characters, where two neighbors that changed places are one edit, in any
// case of the letters; else the only one that begins with three or more characters of
// the word; "" when none is near.
func Nearest(word string, known []string) string {
	best, least := "", 0
	word = strings.ToLower(word)
	for _, k := range known {
		if len(word) > 2*len(k) {
			continue
		}
		if d := edits(word, strings.ToLower(k)); d <= max(len(k)/3, 1) && (best == "" || d < least) {
			best, least = k, d
		}
	}
	if best == "" {
		return onlyBeginning(word, known)
	}
	return best
}

// onlyBeginning returns the one word of known that begins with the word, such as
// production for prod; "" where none or several do, or the word is too short to say.
func onlyBeginning(word string, known []string) string {
	found := ""
	for _, k := range known {
		if len(word) < 3 || !strings.HasPrefix(strings.ToLower(k), word) {
			continue
		}
		if found != "" {
			return ""
		}
		found = k
	}
	return found
}

// edits is the optimal string alignment distance of two texts, in bytes.
func edits(a, b string) int {
	rows := [3][]int{make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)}
	for j := range rows[1] {
		rows[1][j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, row := rows[0], rows[1], rows[2]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		rows[0], rows[1], rows[2] = last, row, before
	}
	return rows[1][len(b)]
}
