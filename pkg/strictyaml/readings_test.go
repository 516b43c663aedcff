package strictyaml

import (
	"math/rand"
	"os"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// plainScalar parses v as a value without quotes; reason is what the parser
// says when it refuses it, read is false when v is not one plain scalar.
func plainScalar(v string) (n *Node, reason string, read bool) {
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte("a: "+v+"\n"), &doc); err != nil || len(doc.Content) == 0 {
		return nil, "", false
	}
	if m := doc.Content[0]; m.Kind != yaml.MappingNode || len(m.Content) != 2 || m.Content[1].Kind != yaml.ScalarNode || m.Content[1].Value != v || m.Content[1].Style != 0 {
		return nil, "", false
	}
	root, problems := Parse("f", []byte("a: "+v+"\n"), options)
	for _, p := range problems {
		if !p.Warning {
			return nil, p.Rule, true
		}
	}
	return root.Get("a"), "", true
}

// TestReadersOfYAML11Agree compares with what the common implementation of YAML
// 1.1 makes of hundreds of scalars: one that is accepted has the same type there.
func TestReadersOfYAML11Agree(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/yaml-1.1.txt")
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]Kind{"null": Null, "bool": Bool, "int": Number, "float": Number, "text": String}
	compared := 0
	for line := range strings.Lines(string(raw)) {
		v, tag, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if !ok || strings.HasPrefix(line, "# ") {
			continue
		}
		n, reason, read := plainScalar(v)
		if !read || reason != "" {
			continue
		}
		compared++
		if kind, known := kinds[tag]; !known || kind != n.Kind {
			t.Errorf("%s is %s here and %s to YAML 1.1", v, n.Kind, tag)
		}
	}
	if compared < 100 {
		t.Errorf("only %d scalars were compared", compared)
	}
}

func TestTwoReadingsAreRefused(t *testing.T) {
	t.Parallel()
	refused := "72225e2 1e3 9E-2 4e+1 12e4567 .5e1 6.02e23 +.5 -.5 -.25e+1 22:22 5:07 -1:30 190:20:30.15 08:30 7_000 1_0.5 0b101 0o17 017 089 -012 0x_f " +
		"0X1F -0X2a 0O14 -0O5 +0o7 0B1 +0B10 -0b1 0X1_F 7_0e2 0XFFFFFFFFFFFFFFFFFFFF 2031-4-5 " +
		"yes No ON off y N = << 2031-04-05 2031-4-5T01:02:03Z"
	for _, v := range strings.Fields(refused) {
		if _, reason, read := plainScalar(v); !read || reason != RuleAmbiguous {
			t.Errorf("%s: %q", v, reason)
		}
		if _, problems := Parse("f", []byte("? "+v+"\n: 1\n"), options); problems.Err() == nil {
			t.Errorf("the key %s is accepted", v)
		}
	}
	for v, kind := range map[string]Kind{
		"10.0.0.1": String, "1.2.3": String, "8080:80": String, "22:75": String, "yEs": String, "2031-04": String, "e3": String, "1e3a": String, ".iNf": String,
		"1.5e+3": Number, "6.": Number, ".75": Number, "-2": Number, "TRUE": Bool, "NULL": Null, "~": Null,
	} {
		if n, reason, read := plainScalar(v); !read || n == nil || n.Kind != kind {
			t.Errorf("%s: %q", v, reason)
		}
	}
}

// TestAcceptedScalarsHaveOneReading gives random scalars of the letters that
// matter, and compares each accepted one with both resolvers and the library's.
func TestAcceptedScalarsHaveOneReading(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewSource(11))
	letters := []string{"0", "1", "7", "9", "_", ".", ":", "-", "+", "e", "E", "x", "o", "b", "a", "F", "T", "Z", "y", "n", "=", "<", "~", ".inf", "0x", "0b", "true", "null", "-01-02"}
	accepted := 0
	for range 6_000 {
		var b strings.Builder
		for range 1 + random.Intn(6) {
			b.WriteString(letters[random.Intn(len(letters))])
		}
		v := b.String()
		n, reason, read := plainScalar(v)
		if !read {
			continue
		}
		_, _, differ := readings(v)
		if differ != (reason == RuleAmbiguous) && !otherFormPattern().MatchString(v) {
			t.Fatalf("%s: differ %v, but the reason is %q", v, differ, reason)
		}
		if reason != "" {
			continue
		}
		accepted++
		library := yaml.Node{Kind: yaml.ScalarNode, Value: v}
		want := map[string]Kind{"!!str": String, "!!int": Number, "!!float": Number, "!!bool": Bool, "!!null": Null}
		if kind, ok := want[library.ShortTag()]; !ok || kind != n.Kind {
			t.Fatalf("%s is %s here and %s to the library", v, n.Kind, library.ShortTag())
		}
	}
	if accepted < 400 {
		t.Errorf("only %d were accepted", accepted)
	}
}

// TestMessagesShowWhatIsWritten holds that no message shows what a number became.
func TestMessagesShowWhatIsWritten(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ value, schema, want string }{
		{"1.10", `{"type": "string"}`, `a is 1.10, a number, where text is expected`},
		{"1.10", `{"enum": ["1.10"]}`, `a is 1.10, which is not one of the allowed values`},
		{"2.50", `{"maximum": 2}`, `a is 2.50`},
		{"+3", `{"minimum": 4}`, `a is +3`},
		{"1.50", `{"const": 2}`, `a is 1.50`},
		{"7.0", `{"multipleOf": 2}`, `a is 7.0`},
		{"True", `{"type": "string"}`, `a is True, true or false, where text is expected`},
		{"1.5e+3", `{"type": "integer", "maximum": 9}`, `a is 1.5e+3`},
	} {
		schema, err := Compile("s.json", []byte(`{"properties": {"a": `+c.schema+`}}`))
		if err != nil {
			t.Fatal(err)
		}
		root, problems := Parse("f", []byte("a: "+c.value+"\n"), options)
		if root == nil {
			t.Fatal(problems)
		}
		found := schema.Validate("f", root)
		if len(found) != 1 || found[0].Message != c.want {
			t.Errorf("%s: got %v", c.value, found)
		}
	}
}
