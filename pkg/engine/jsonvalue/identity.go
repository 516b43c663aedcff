package jsonvalue

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/text"
)

// maxNamesakes bounds the elements of one name that are compared with each other.
const maxNamesakes = 64

// identifiers are the members that identify an element of a list, the first ones first,
// in lower case and without separators.
var identifiers = []string{"name", "id", "key", "identifier", "uuid", "slug", "label", "title"}

var separators = strings.NewReplacer("_", "", "-", "")

// SameThings pairs the elements of two lists that are the same thing, in the order of
// old: equal elements, wherever they are, then those with the same identifying
// member, then between these the ones that have most in common, and last unnamed objects
// at the same place.
func SameThings(old, planned []Side) []text.Pair {
	p := pairing{old: old, planned: planned, from: make([]int, len(old)), to: make([]int, len(planned))}
	for i := range p.from {
		p.from[i] = -1
	}
	for j := range p.to {
		p.to[j] = -1
	}
	for _, same := range SameElements(old, planned) {
		p.add(same.A, same.B)
	}
	p.equal()
	p.identified()
	p.between()
	return p.pairs()
}

// pairing holds for each element the index of its partner in the other list; -1 for none.
type pairing struct {
	old, planned []Side
	from, to     []int
}

func (p *pairing) add(i, j int) { p.from[i], p.to[j] = j, i }

// equal pairs equal elements that moved.
func (p *pairing) equal() {
	left := map[string][]int{}
	for i, partner := range p.from {
		if partner < 0 {
			key := string(Canonical(nil, p.old[i].Value))
			left[key] = append(left[key], i)
		}
	}
	for j, partner := range p.to {
		if partner >= 0 {
			continue
		}
		key := string(Canonical(nil, p.planned[j].Value))
		if same := left[key]; len(same) > 0 {
			p.add(same[0], j)
			left[key] = same[1:]
		}
	}
}

// identified pairs elements with the same identifying member. Where several have it,
// those with most in common go together.
func (p *pairing) identified() {
	left := map[string][]int{}
	for j, partner := range p.to {
		if id := identity(p.planned[j].Value); partner < 0 && id != "" {
			left[id] = append(left[id], j)
		}
	}
	for i, partner := range p.from {
		id := identity(p.old[i].Value)
		same := left[id]
		if partner >= 0 || id == "" || len(same) == 0 {
			continue
		}
		best, most := 0, -1
		for k, j := range same[:min(len(same), maxNamesakes)] {
			if n, _ := commonKeys(p.old[i].Value.(map[string]any), p.planned[j].Value.(map[string]any)); n > most {
				best, most = k, n
			}
		}
		p.add(i, same[best])
		left[id] = slices.Delete(same, best, best+1)
	}
}

// identity is the identifying member of an object with its value; empty for none.
func identity(value any) string {
	object, ok := value.(map[string]any)
	if !ok {
		return ""
	}
	keys := slices.Sorted(maps.Keys(object))
	for _, wanted := range identifiers {
		for _, key := range keys {
			if separators.Replace(strings.ToLower(key)) != wanted {
				continue
			}
			switch v := object[key].(type) {
			case string, json.Number:
				return string(Canonical(append([]byte(key), ' '), v))
			}
		}
	}
	return ""
}

// between pairs what is left between elements that kept their order.
func (p *pairing) between() {
	var to []int
	for _, i := range p.to {
		if i >= 0 {
			to = append(to, i)
		}
	}
	pairs := p.pairs()
	from := make([]int, len(pairs))
	for k, pair := range pairs {
		from[k] = pair.A
	}
	begin := text.Pair{}
	for _, kept := range append(text.Align(from, to), text.Pair{A: len(from)}) {
		end := text.Pair{A: len(p.old), B: len(p.planned)}
		if kept.A < len(from) {
			end = pairs[kept.A]
		}
		p.gap(free(p.from, begin.A, end.A), free(p.to, begin.B, end.B))
		begin = text.Pair{A: end.A + 1, B: end.B + 1}
	}
}

func free(partners []int, begin, end int) []int {
	var out []int
	for i := begin; i < end; i++ {
		if partners[i] < 0 {
			out = append(out, i)
		}
	}
	return out
}

// gap pairs elements that nothing identifies.
func (p *pairing) gap(old, planned []int) {
	next := text.Pair{}
	alike := Matching(sidesAt(p.old, old), sidesAt(p.planned, planned))
	for _, same := range append(alike, text.Pair{A: len(old), B: len(planned)}) {
		for next.A < same.A && next.B < same.B {
			if i, j := old[next.A], planned[next.B]; unnamed(p.old[i].Value, p.planned[j].Value) {
				p.add(i, j)
			}
			next.A, next.B = next.A+1, next.B+1
		}
		if same.A < len(old) && same.B < len(planned) {
			p.add(old[same.A], planned[same.B])
		}
		next = text.Pair{A: same.A + 1, B: same.B + 1}
	}
}

func sidesAt(all []Side, at []int) []Side {
	out := make([]Side, len(at))
	for k, i := range at {
		out[k] = all[i]
	}
	return out
}

// unnamed reports two objects with a member of the same key, which no member identifies.
func unnamed(b, a any) bool {
	x, isX := b.(map[string]any)
	y, isY := a.(map[string]any)
	if !isX || !isY || identity(x) != "" || identity(y) != "" {
		return false
	}
	for key := range x {
		if _, ok := y[key]; ok {
			return true
		}
	}
	return false
}

func (p *pairing) pairs() []text.Pair {
	var out []text.Pair
	for i, j := range p.from {
		if j >= 0 {
			out = append(out, text.Pair{A: i, B: j})
		}
	}
	return out
}
