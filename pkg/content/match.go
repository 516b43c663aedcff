package content

import (
	"path"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// lists are the lists of patterns that a path, or a directory above it, matches.
type lists struct {
	forbid, allow, app, infra, ignore bool
	require                           uint64 // bit i: the pattern i of the list
}

func (l lists) with(o lists) lists {
	return lists{l.forbid || o.forbid, l.allow || o.allow, l.app || o.app, l.infra || o.infra, l.ignore || o.ignore, l.require | o.require}
}

// pattern is one pattern and the list that it belongs to.
type pattern struct {
	parts []part
	// ends[i] says that nothing but ** is left from part i on.
	ends []bool
	hit  lists
}

// part matches one name, or any directories.
type part struct {
	text   string
	many   bool // **
	plain  bool // text is the name
	suffix bool // text is "*" and an end without a *
}

// place is how far a directory has come in a pattern. All patterns are followed at once
// while the tree is read: what is below a directory needs one step, whatever its path is.
type place struct{ pattern, part int }

type matcher []pattern

func (m *matcher) add(text, customerPath string, hit lists) {
	names := pipeline.ParseCodePattern(pipeline.FillContentPattern(text, customerPath))
	p := pattern{parts: make([]part, len(names)), ends: make([]bool, len(names)+1), hit: hit}
	for i, name := range names {
		rest, star := strings.CutPrefix(name, "*")
		p.parts[i] = part{text: name, many: name == "**", plain: !strings.Contains(name, "*"), suffix: star && !strings.Contains(rest, "*")}
	}
	p.ends[len(names)] = true
	for i := len(names) - 1; i >= 0; i-- {
		p.ends[i] = p.ends[i+1] && p.parts[i].many
	}
	*m = append(*m, p)
}

// start is where the root of the tree stands, and the lists that match everything.
func (m matcher) start() (at []place, hit lists) {
	for i, p := range m {
		at = m.enter(at, place{i, 0})
		if p.ends[0] {
			hit = hit.with(p.hit)
		}
	}
	return at, hit
}

// enter adds a place and those behind each ** that stands for no directory.
func (m matcher) enter(at []place, to place) []place {
	parts := m[to.pattern].parts
	for ; to.part < len(parts); to.part++ {
		at = append(at, to)
		if !parts[to.part].many {
			break
		}
	}
	return at
}

// leaf is the lists that a name in a directory matches.
func (m matcher) leaf(at []place, name string) (hit lists) {
	for _, from := range at {
		p := &m[from.pattern]
		if from := &p.parts[from.part]; !from.many && !from.match(name) {
			continue
		}
		if p.ends[from.part+1] {
			hit = hit.with(p.hit)
		}
	}
	return hit
}

// below is where a directory in a directory stands.
func (m matcher) below(at []place, name string) (next []place) {
	for _, from := range at {
		switch p := &m[from.pattern].parts[from.part]; {
		case p.many:
			next = append(next, from) // what follows it is among the places already, for the next name
			next = m.enter(next, place{from.pattern, from.part + 1})
		case p.match(name):
			next = m.enter(next, place{from.pattern, from.part + 1})
		}
	}
	return unique(next)
}

// unique removes places that are there twice: after two ** the same place is reached in
// more than one way, and their number would double with each directory.
func unique(at []place) []place {
	kept := at[:0]
	for _, p := range at {
		twice := false
		for _, k := range kept {
			twice = twice || k == p
		}
		if !twice {
			kept = append(kept, p)
		}
	}
	return kept
}

func (p *part) match(name string) bool {
	switch {
	case p.plain:
		return p.text == name
	case p.suffix:
		return strings.HasSuffix(name, p.text[1:])
	}
	ok, err := path.Match(p.text, name)
	return ok && err == nil
}
