package trace

import (
	"testing"

	"github.com/metapipe/metapipe/pkg/engine/jsonvalue"
)

// FuzzCompare: with all edits applied the tree of two documents is the one of now, and
// without any the one of before.
func FuzzCompare(f *testing.F) {
	for _, pair := range [][2]string{
		{`{"a":[1,2,3],"b":{"c":null}}`, `{"a":[2,3,4],"b":{"c":1,"d":[]}}`},
		{`{"l":[{"n":"x","p":1},{"n":"y","p":2}]}`, `{"l":[{"n":"y","p":3},{"n":"z","p":2},[]]}`},
		{`{"a":{"b":1}}`, `{"a":[{"b":1}]}`}, {`{}`, `{"":{"":[[[]]]}}`}, {`[1]`, `[1,1,1]`}, {`[1,2,3,4]`, `[4,5,2,6,1]`},
		{`[{"id":1,"a":1},{"id":1,"a":2},{"b":1}]`, `[{"b":2},{"id":1,"a":2},{"id":2},{"id":1,"a":3}]`}, {`1e3`, `1000`},
	} {
		f.Add(pair[0], pair[1])
	}
	f.Fuzz(func(t *testing.T, before, after string) {
		b, err := jsonvalue.Decode([]byte(before))
		a, err2 := jsonvalue.Decode([]byte(after))
		if err != nil || err2 != nil {
			t.Skip()
		}
		var edits []edit
		d := compare(way{}, jsonvalue.Side{Value: b, Present: true}, jsonvalue.Side{Value: a, Present: true}, &edits)
		v := &variants{edits: edits}
		for applied, want := range map[bool]any{false: b, true: a} {
			got, ok := d.value(v.all(applied))
			if !ok || !got.RawEquals(valueOf(want)) {
				t.Errorf("applied %v: %#v, want %#v", applied, got, valueOf(want))
			}
		}
		if (len(edits) == 0) != jsonvalue.Equal(b, a) {
			t.Errorf("%d edits between %s and %s", len(edits), before, after)
		}
	})
}
