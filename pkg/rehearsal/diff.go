package rehearsal

import "strings"

// maxDiffLines bounds the comparison; longer files are shown as replaced.
const maxDiffLines = 2000

// diff shows what changes from one text to another: every line, with a blank, a
// minus or a plus before it, and long unchanged stretches left out.
func diff(from, to []byte) string {
	a, b := textLines(from), textLines(to)
	if len(a) > maxDiffLines || len(b) > maxDiffLines {
		return prefixed("-", a) + prefixed("+", b)
	}
	// common[i][j] is the length of the longest common part of a[i:] and b[j:].
	common := make([][]int, len(a)+1)
	for i := range common {
		common[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	var out []string
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			out = append(out, " "+a[i])
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && common[i+1][j] >= common[i][j+1]:
			out = append(out, "-"+a[i])
			i++
		default:
			out = append(out, "+"+b[j])
			j++
		}
	}
	return strings.Join(nearChanges(out), "\n") + "\n"
}

// nearChanges keeps changed lines with three lines around them.
func nearChanges(lines []string) []string {
	const around = 3
	keep := make([]bool, len(lines))
	for i, l := range lines {
		if l[0] == ' ' {
			continue
		}
		for k := max(0, i-around); k <= min(len(lines)-1, i+around); k++ {
			keep[k] = true
		}
	}
	var out []string
	for i, l := range lines {
		switch {
		case keep[i]:
			out = append(out, clean(l))
		case i == 0 || keep[i-1]:
			out = append(out, "@@")
		}
	}
	return out
}

func prefixed(sign string, lines []string) string {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(sign + clean(l) + "\n")
	}
	return b.String()
}

func textLines(b []byte) []string {
	if len(b) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
}
