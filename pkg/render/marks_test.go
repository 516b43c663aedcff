package render

import (
	"encoding/json"
	"testing"
)

// A combining mark that no letter carries is written out, in text and in JSON.
func TestMarksWithoutLetter(t *testing.T) {
	t.Parallel()
	for _, c := range [][2]string{
		{"e\u0301", "e\u0301"}, {"\u0301x", `\u0301x`}, {"a \u0302", `a \u0302`}, {"10.0.0.0/8\u0338", `10.0.0.0/8\u0338`}, {"a\u200d\u0301", `a\u200d\u0301`}, {"\u0301\u0301", `\u0301\u0301`},
	} {
		if got := clean(c[0], toEscapes); got != c[1] {
			t.Errorf("clean(%+q) is %+q, want %+q", c[0], got, c[1])
		}
	}
	for _, c := range [][2]string{
		{`"e` + "\u0301" + `"`, `"e` + "\u0301" + `"`}, {`"` + "\u0301" + `"`, `"\u0301"`}, {`"\n` + "\u0301" + `"`, `"\n\u0301"`}, {`"\u000a` + "\u0301" + `"`, `"\u000a\u0301"`},
		{`"\\u` + "\u0301" + `"`, `"\\u` + "\u0301" + `"`}, {`"\"` + "\U0001d165" + `"`, `"\"\ud834\udd65"`},
	} {
		got := escapeJSON(c[0])
		if got != c[1] {
			t.Errorf("escapeJSON(%+q) is %+q, want %+q", c[0], got, c[1])
		}
		var before, after string
		if json.Unmarshal([]byte(c[0]), &before) != nil || json.Unmarshal([]byte(got), &after) != nil || before != after {
			t.Errorf("%+q becomes %+q, another text", c[0], got)
		}
	}
}
