package planjson

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/engine/jsonvalue"
)

// differences lists the paths of a comparison with what they were and become.
func differences(t *testing.T, before, after string) []string {
	t.Helper()
	var c changeBody
	if err := jsonvalue.Reread(json.RawMessage(`{"before": {"x": `+before+`}, "after": {"x": `+after+`}}`), &c); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, a := range c.attributes() {
		out = append(out, a.Path+" "+a.Before.Text+" → "+a.After.Text)
	}
	return out
}

func TestListDifferences(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ before, after, want string }{
		{`["a","b","c","d","e"]`, `["b","c","d"]`, `x[] "a" → |x[] "e" → `},
		{`["b","c","d"]`, `["a","b","c","d","e"]`, `x[]  → "a"|x[]  → "e"`},
		{`["a","b","c"]`, `["a","x","c"]`, `x[1] "b" → "x"`},
		{`[]`, `["a"]`, `x[]  → "a"`},
		{`null`, `["a"]`, `x[0]  → "a"`},
		{`["a"]`, `null`, `x[0] "a" → `},
		{`[1, 2.0, 3]`, `[2, 3]`, `x[] 1 → `},
		{`[{"n":"a","v":1},{"n":"b","v":2}]`, `[{"n":"b","v":2}]`, `x[] {"n":"a","v":1} → `},
		{`[{"n":"a","v":1},{"n":"b","v":2}]`, `[{"n":"b","v":3}]`, `x[] {"n":"a","v":1} → |x[0].v 2 → 3`},
		{`[{"n":"a","v":1}]`, `[{"n":"b","v":2}]`, `x[] {"n":"a","v":1} → |x[]  → {"n":"b","v":2}`},
		{`[["a","b"],["c","d"]]`, `[["c","e"]]`, `x[] ["a","b"] → |x[0][1] "d" → "e"`},
		{`[{"c":["a","b","d"]}]`, `[{"c":["b","d"]}]`, `x[0].c[] "a" → `},
		{`[{"c":["a","b"]},{"c":["d"]}]`, `[{"c":["b"]},{"c":["d"]}]`, `x[0].c[] "a" → `},
		{`[["a","b","c"],["d"]]`, `[["b","c"],["d"]]`, `x[0][] "a" → `},
		{`[{"r":[{"c":["a","b"]}]}]`, `[{"r":[{"c":["b"]}]}]`, `x[0].r[0].c[] "a" → `},
		{`[["a","b","c","d"]]`, `[["a","e"]]`, `x[0][] "b" → |x[0][] "c" → |x[0][] "d" → |x[0][]  → "e"`},
		{`[{"n":"a","v":1,"w":1}]`, `[{"n":"a","v":2,"w":2}]`, `x[0].v 1 → 2|x[0].w 1 → 2`},
		{`["a","b"]`, `["b","a"]`, `x[] "a" → |x[]  → "a"`},
	} {
		if got := strings.Join(differences(t, c.before, c.after), "|"); got != c.want {
			t.Errorf("%s → %s:\n%s, want\n%s", c.before, c.after, got, c.want)
		}
	}
}

// TestJSONTexts: texts that hold JSON are compared by structure, unless that shows
// nothing or hides something.
func TestJSONTexts(t *testing.T) {
	t.Parallel()
	quote := func(s string) string { return string(jsonvalue.AppendString(nil, s)) }
	policy := `{"Statement":[{"Sid":"r","Action":["s3:Get","s3:List"]},{"Sid":"w","Action":"s3:Put"}]}`
	for _, c := range []struct{ before, after, want string }{
		{policy, strings.Replace(policy, `,"s3:List"`, `,"s3:Put"`, 1), `x.Statement[0].Action[1] "s3:List" → "s3:Put"`},
		{policy, ` {"Statement": [{"Action":"s3:Put","Sid":"w"}]}`, `x.Statement[] {"Action":["s3:Get","s3:List"],"Sid":"r"} → `},
		{`[1,2]`, `[2]`, `x[] 1 → `},
		{`{"a":"{\"b\":1}"}`, `{"a":"{\"b\":2}"}`, `x.a.b 1 → 2`},
		{`{"a":null}`, `{}`, `x.a null → `},
		{`{"a":1}`, `{ "a": 1 }`, "x"},
		{`{"a":1,"a":2}`, `{"a":2}`, "x"},
		{`{"a":1}`, `{"a":2} x`, "x"},
		{`{"a":1}`, `[1]`, "x"},
		{`{"a":1}`, `{`, "x"},
	} {
		if c.want == "x" { // as it is
			c.want = "x " + quote(c.before) + " → " + quote(c.after)
		}
		if got := strings.Join(differences(t, quote(c.before), quote(c.after)), "|"); got != c.want {
			t.Errorf("%s → %s:\n%s, want\n%s", c.before, c.after, got, c.want)
		}
	}
}

// TestLongLists: lists of many thousand objects are compared in seconds.
func TestLongLists(t *testing.T) {
	t.Parallel()
	list := func(from, step int) string {
		var all []string
		for i := from; i < 20_000; i++ {
			all = append(all, fmt.Sprintf(`{"port":%d,"name":"n%d","open":true}`, i/step, i*step))
		}
		return "[" + strings.Join(all, ",") + "]"
	}
	begin := time.Now()
	if got := differences(t, list(0, 1), list(1, 1)); len(got) != 1 || !strings.HasPrefix(got[0], `x[] {"name":"n0"`) {
		t.Errorf("%d differences: %.300s", len(got), got)
	}
	differences(t, list(0, 1), list(7, 3))
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
}
