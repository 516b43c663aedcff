package jsonvalue

import (
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/text"
)

// list compares two lists by whole elements: what their longest common
// subsequence holds stays. The JSON has an array for a list and for a set alike, so
// the index of an element means something only where two elements are paired. A
// list that comes or goes as a whole is shown with its indexes.
func (d *differ) list(b, a Side) {
	before, _ := b.Value.([]any)
	after, _ := a.Value.([]any)
	unknown, _ := a.Unknown.([]any)
	m, n := len(before), max(len(after), len(unknown))
	if m+n == 0 {
		d.empty(b, a)
		return
	}
	old, planned := make([]Side, m), make([]Side, n)
	for i := range old {
		old[i] = element(b, before, i)
	}
	for j := range planned {
		planned[j] = element(a, after, j)
		planned[j].Present = planned[j].Present && planned[j].Unknown != true
	}
	if !b.Present || !a.Present {
		for i := range max(m, n) {
			d.paired(i, at(old, i), at(planned, i))
		}
		return
	}
	from := text.Pair{}
	for _, same := range append(SameElements(old, planned), text.Pair{A: m, B: n}) {
		d.gap(old[from.A:same.A], planned[from.B:same.B], from)
		from = text.Pair{A: same.A + 1, B: same.B + 1}
	}
}

func element(s Side, list []any, i int) Side {
	e := Side{Sensitive: MarkIndex(s.Sensitive, i), Unknown: MarkIndex(s.Unknown, i)}
	if i < len(list) {
		e.Value, e.Present = list[i], true
	}
	return e
}

func at(list []Side, i int) Side {
	if i < len(list) {
		return list[i]
	}
	return Side{}
}

// gap is what lies between elements that stay. Elements that are one and the same
// thing, changed, are compared; the others went or came.
func (d *differ) gap(old, planned []Side, from text.Pair) {
	next := text.Pair{}
	for _, p := range append(Matching(old, planned), text.Pair{A: len(old), B: len(planned)}) {
		for ; next.A < p.A; next.A++ {
			d.single(from.A+next.A, old[next.A], Side{})
		}
		for ; next.B < p.B; next.B++ {
			d.single(from.B+next.B, Side{}, planned[next.B])
		}
		if p.A < len(old) && p.B < len(planned) {
			d.paired(from.B+p.B, old[p.A], planned[p.B])
		}
		next = text.Pair{A: p.A + 1, B: p.B + 1}
	}
}

func (d *differ) paired(i int, b, a Side) {
	mark := d.pushIndex(i)
	d.compare(b, a)
	d.pop(mark)
}

// single is an element of one of the lists only, as a whole.
func (d *differ) single(i int, b, a Side) {
	mark := d.pushElement(i)
	switch {
	case b.Sensitive == true || a.Sensitive == true:
		d.leaf(Hide(b, b.Present), Hide(a, a.Present || a.Unknown == true))
	case ContainsTrue(a.Unknown):
		a.Value = withUnknown(a.Value, a.Unknown)
		d.leaf(pipeline.Value{}, Show(a))
	default:
		d.leaf(Show(b), Show(a))
	}
	d.pop(mark)
}

// unknownText stands for what is known after the apply, inside of an element.
const unknownText = "(known after apply)"

// withUnknown puts unknownText where a value is not known yet.
func withUnknown(value, mark any) any {
	switch m := mark.(type) {
	case bool:
		if m {
			return unknownText
		}
	case map[string]any:
		object, _ := value.(map[string]any)
		filled := make(map[string]any, len(object)+len(m))
		for key, v := range object {
			filled[key] = v
		}
		for key, inner := range m {
			if ContainsTrue(inner) {
				filled[key] = withUnknown(object[key], inner)
			}
		}
		return filled
	case []any:
		list, _ := value.([]any)
		filled := append([]any(nil), list...)
		for i, inner := range m {
			if !ContainsTrue(inner) {
				continue
			}
			for len(filled) <= i {
				filled = append(filled, nil)
			}
			filled[i] = withUnknown(filled[i], inner)
		}
		return filled
	}
	return value
}
