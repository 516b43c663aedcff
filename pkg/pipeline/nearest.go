package pipeline

import (
	"slices"
	"strings"
)

// Nearest returns the word of known that was probably meant: at most one edit in three
// characters, where two neighbors that changed places are one edit, or the same letters
// in another order; else the only one that begins with three or more characters of the
// word; "" when none is near. Case and the choice of - or _ cost nothing.
func Nearest(word string, known []string) string {
	best, least := "", 0
	w := []rune(plainForm(word))
	for _, k := range known {
		if d, near := distance(w, []rune(plainForm(k))); near && (best == "" || d < least) {
			best, least = k, d
		}
	}
	if best == "" {
		return onlyBeginning(string(w), known)
	}
	return best
}

func plainForm(s string) string { return strings.ReplaceAll(strings.ToLower(s), "-", "_") }

// distance counts the edits between two words, where one may be meant as the other.
func distance(word, known []rune) (d int, near bool) {
	if len(word) > 2*len(known) {
		return 0, false
	}
	if d := edits(word, known); len(known) > 1 && d <= max(len(known)/3, 1) {
		return d, true
	}
	return 1, len(word) == len(known) && slices.Equal(sorted(word), sorted(known))
}

func sorted(r []rune) []rune {
	r = slices.Clone(r)
	slices.Sort(r)
	return r
}

// onlyBeginning returns the word of known that begins with the word, such as production
// for prod, and with which all others begin that do so, as repository_id does for repo; ""
// where there is none, or the word is too short to say.
func onlyBeginning(word string, known []string) string {
	var found []string
	for _, k := range known {
		if len(word) >= 3 && strings.HasPrefix(plainForm(k), word) {
			found = append(found, k)
		}
	}
	if len(found) == 0 {
		return ""
	}
	shortest := slices.MinFunc(found, func(a, b string) int { return len(a) - len(b) })
	for _, k := range found {
		if !strings.HasPrefix(plainForm(k), plainForm(shortest)) {
			return ""
		}
	}
	return shortest
}

// edits is the optimal string alignment distance of two texts, in characters.
func edits(a, b []rune) int {
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

// DidYouMean is a question with the word of known that is near to an unknown one, to be put before
// the choices; "" when none is near.
func DidYouMean[T ~string](word string, known []T) string {
	words := make([]string, len(known))
	for i, k := range known {
		words[i] = string(k)
	}
	if near := Nearest(word, words); near != "" {
		return "did you mean " + near + "? "
	}
	return ""
}
