package docs

import (
	"bytes"
	"go/scanner"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
)

// plainWords are words that this project does not use where people read it, with the
// words to use instead.
var plainWords = map[string]string{
	"told":     "reported, logged or printed",
	"tell":     "report, log, print or say",
	"tells":    "reports, logs, prints or says",
	"nobody":   "no one, or name who",
	"mend":     "fix",
	"mends":    "fixes",
	"mended":   "fixed",
	"vouch":    "sign",
	"vouches":  "has a valid signature",
	"doom":     "make permanent",
	"dooms":    "is permanent",
	"spoken":   "printed",
	"unproved": "unverified",
}

// A word in quotes or between the signs of code is a name, such as a reason that changed.
var quoted = regexp.MustCompile("`[^`\n]*`")

var letters = regexp.MustCompile(`[\pL\d_]+`)

// notPlain are the words of a text that plainWords names, with their lines.
func notPlain(text []byte) (lines []int, words []string) {
	for i, line := range bytes.Split(quoted.ReplaceAll(text, nil), []byte("\n")) {
		for _, word := range letters.FindAll(line, -1) {
			if lower := strings.ToLower(string(word)); plainWords[lower] != "" {
				lines, words = append(lines, i+1), append(words, lower)
			}
		}
	}
	return lines, words
}

// TestPlainWords reads what people read: documents, workflows, schemas and the texts in the
// code, help and messages among them.
func TestPlainWords(t *testing.T) {
	t.Parallel()
	read := 0
	for _, name := range repoFiles(t) {
		text := strings.HasSuffix(name, ".md") && !strings.Contains(name, "testdata/") || strings.HasSuffix(name, ".schema.json") ||
			name == "action.yml" || strings.HasPrefix(name, "workflows/")
		code := strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "test.go")
		if !text && !code {
			continue
		}
		content, err := os.ReadFile(filepath.Join(fixture.RepoRoot, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		read++
		if text {
			lines, words := notPlain(content)
			for i, word := range words {
				t.Errorf("%s:%d: %q: write %s", name, lines[i], word, plainWords[word])
			}
			continue
		}
		texts(content, func(line int, text string) {
			_, words := notPlain([]byte(text))
			for _, word := range words {
				t.Errorf("%s:%d: %q: write %s", name, line, word, plainWords[word])
			}
		})
	}
	if read < 100 {
		t.Errorf("only %d files were read", read)
	}
}

// texts yields the string literals of a Go file with their lines, without their quotes.
func texts(content []byte, yield func(line int, text string)) {
	files := token.NewFileSet()
	file := files.AddFile("", files.Base(), len(content))
	var s scanner.Scanner
	s.Init(file, content, nil, 0)
	for {
		pos, kind, literal := s.Scan()
		if kind == token.EOF {
			return
		}
		if kind == token.STRING {
			yield(file.Line(pos), strings.Trim(literal, "`\""))
		}
	}
}

// TestPlainWordsFinds shows what TestPlainWords finds and what it passes over.
func TestPlainWordsFinds(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"The customer is told.":      {"told"},
		"Nobody\nmends it":           {"nobody", "mends"},
		"it tells; they tell":        {"tells", "tell"},
		"amend, retell, toldness":    nil,
		"renamed `unproved-origin`":  nil,
		"the check `a` tells of `b`": {"tells"},
	} {
		if _, got := notPlain([]byte(text)); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	var got []string
	texts([]byte("package a\n// told\nvar b = \"tells \" + `of\nnobody`\n"), func(_ int, text string) { got = append(got, text) })
	if !slices.Equal(got, []string{"tells ", "of\nnobody"}) {
		t.Errorf("the texts of a file are %q", got)
	}
}
