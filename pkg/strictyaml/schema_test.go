package strictyaml

import (
	"strings"
	"testing"
)

func TestCIDR(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"10.4.0.0/16": "", "172.31.0.0/20": "", "192.168.7.0/24": "", "100.64.0.0/10": "", "fd12:3456::/48": "", "10.0.0.1/32": "", "10.0.0.0/8": "",
		"10.4.0.9/16":       `which has host bits set: it is an address inside of a network of 16 bits → write "10.4.0.0/16" for the whole network`,
		"fd12::7/64":        `write "fd12::/64" for the whole network`,
		"172.32.0.0/16":     "which is not a private network → use a private network, such as \"10.0.0.0/16\", \"172.16.0.0/16\", \"192.168.0.0/16\"",
		"10.0.0.0/7":        "not a private network", // it holds 11.0.0.0/8 too
		"172.16.0.0/11":     "host bits",
		"172.0.0.0/8":       "not a private network",
		"0.0.0.0/0":         "not a private network",
		"2001:db8::/32":     "not a private network → use a private network, such as \"fd00:1::/32\"",
		"10.4.0.0":          `lacks the length of its prefix → add the length of the prefix behind the address, for example "10.4.0.0/16" for a network of 16 bits`,
		"10.4.7.0":          `for example "10.4.7.0/24"`,
		"10.4.7.9":          `for example "10.4.7.0/24" for a network of 24 bits`,
		"fd12:7::":          `for example "fd12:7::/48"`,
		"81.2.69.0":         "lacks the length of its prefix and is not a private network → use a private network, such as \"10.0.0.0/24\"",
		"10.4.0.0/":         "lacks the length of its prefix behind the slash",
		"10.4.0.0/33":       "has a prefix of 33 bits, above 32 → write a length from 0 to 32",
		"fd12::/129":        "has a prefix of 129 bits, above 128",
		"10.4.256.0/24":     "has the number 256 above 255 in its address",
		"10.4.0.256":        "has the number 256 above 255 in its address",
		"010.4.0.0/16":      "has the number 010 with a leading zero in its address → write 10",
		"10.4.0.0 /16":      "is no network in CIDR notation",
		"::ffff:10.0.0.0/8": "is no network in CIDR notation",
	} {
		checkFormat(t, "cidr", s, want)
	}
	for s, want := range map[string]string{"8.8.8.0/24": "", "0.0.0.0/0": "", "2001:db8::/32": "", "8.8.8.8/24": `write "8.8.8.0/24" for the whole network, or "8.8.8.8/32" for this address alone`,
		"8.8.8.8": `for example "8.8.8.0/24" for a network of 24 bits, or "8.8.8.8/32" for this address alone`, "8.8.8.0": `"8.8.8.0/24" for a network of 24 bits`} {
		checkFormat(t, "any-cidr", s, want)
	}
}

// TestFormatsShowTheDescription holds for every format and pattern, and for a
// description beside a reference.
func TestFormatsShowTheDescription(t *testing.T) {
	t.Parallel()
	for _, rule := range []string{`"format": "cidr"`, `"format": "any-cidr"`, `"format": "email"`, `"format": "ipv4"`, `"pattern": "^[0-9]+$"`} {
		for _, text := range []string{
			`{"properties": {"a": {"description": "ask the network team", ` + rule + `}}}`,
			`{"properties": {"a": {"description": "ask the network team", "$ref": "#/$defs/x"}}, "$defs": {"x": {` + rule + `}}}`,
			`{"properties": {"a": {"description": "ask the network team", "allOf": [{` + rule + `}]}}}`,
		} {
			schema, err := Compile("s.json", []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			root, _ := Parse("f", []byte("a: north\n"), options)
			if problems := schema.Validate("f", root); len(problems) != 1 || !strings.Contains(problems[0].Remedy, "ask the network team") {
				t.Errorf("%s: %v", text, problems)
			}
		}
	}
}

func checkFormat(t *testing.T, format, s, want string) {
	t.Helper()
	schema, err := Compile("s.json", []byte(`{"properties": {"a": {"format": "`+format+`"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	root, _ := Parse("f", []byte("a: \""+s+"\"\n"), options)
	problems := schema.Validate("f", root)
	switch {
	case want == "" && len(problems) > 0:
		t.Errorf("%s %s: %v", format, s, problems)
	case want != "" && (len(problems) != 1 || !strings.Contains(problems[0].String(), want)):
		t.Errorf("%s %s:\n got %v\nwant %s", format, s, problems, want)
	}
}

// TestSamplesPassTheSchema reads each sample as a file and checks it.
func TestSamplesPassTheSchema(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{}`, `{"required": ["a"]}`,
		`{"type": "object", "required": ["name", "size", "on", "zones", "net", "mail", "kind"], "properties": {
			"name": {"type": "string", "pattern": "^[a-z]{3}-[0-9]+$", "minLength": 5}, "size": {"type": "integer", "exclusiveMinimum": 4, "multipleOf": 3},
			"on": {"type": "boolean"}, "zones": {"type": "array", "minItems": 2, "items": {"type": "string"}}, "net": {"format": "cidr", "type": "string"},
			"mail": {"type": "string", "format": "email"}, "kind": {"enum": ["yes", "no"]}}}`,
		`{"properties": {"environments": {"additionalProperties": {"$ref": "#/$defs/e"}}}, "$defs": {"e": {"type": "object", "required": ["region"], "additionalProperties": false,
			"properties": {"region": {"type": "string", "description": "a region such as eu-west-1", "pattern": "^[a-z]{2}-[a-z]+-[0-9]$"}}}}}`,
		`{"required": ["v"], "properties": {"v": {"const": "1.10"}}}`,
		`{"required": ["v"], "properties": {"v": {"type": "object", "minProperties": 1}}}`,
		`{"required": ["r"], "properties": {"r": {"$ref": "#"}}}`,
		`{"not": {}}`, `false`,
	} {
		schema, err := Compile("s.json", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		sample := schema.Sample("environments", "staging")
		if sample == "" {
			continue
		}
		root, problems := Parse("f", []byte(sample+"\n"), options)
		if root == nil || len(problems) > 0 || len(schema.Validate("f", root)) > 0 || root.At("environments", "staging") == nil {
			t.Errorf("%s: the sample %s does not pass: %v", text, sample, problems)
		}
	}
	schema, err := Compile("s.json", []byte(`{"properties": {"environments": {"additionalProperties": {"type": "object", "required": ["size"], "properties": {"size": {"minimum": 3}}}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := schema.Sample("environments", "staging"), "environments: {staging: {size: 3}}"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestEmptyValuesAreNeverQuoted(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"", "null", "~", "NULL", "Null"} {
		for _, rule := range []string{`{"type": "string"}`, `{"type": ["string", "integer"]}`, `{"type": "object"}`, `{"enum": ["x", "y"]}`, `{"anyOf": [{"type": "string"}, {"type": "boolean"}]}`, `{"const": "x"}`} {
			schema, err := Compile("s.json", []byte(`{"properties": {"a": `+rule+`}}`))
			if err != nil {
				t.Fatal(err)
			}
			root, _ := Parse("f", []byte("a: "+value+"\n"), options)
			problems := schema.Validate("f", root)
			if len(problems) != 1 || !strings.Contains(problems[0].String(), "has no value") || !strings.Contains(problems[0].Remedy, "write a value") || strings.Contains(problems[0].Remedy, "in quotes") {
				t.Errorf("%q with %s: %v", value, rule, problems)
			}
		}
	}
}

func TestNearMisses(t *testing.T) {
	t.Parallel()
	schema, err := Compile("s.json", []byte(`{"required": ["name"], "properties": {"name": {}, "networking": {"properties": {"zones": {}}}, "closed": {"additionalProperties": false, "properties": {"inner": {}}}, "tags": {"additionalProperties": {"type": "string"}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"name: a\nNetworking: 1\n":                 `f:2:1: near-miss: the schema does not name the key "Networking"; it is passed on as it is → did you mean "networking"?`,
		"name: a\nnetworking: {zone: 1}\n":         `f:2:14: near-miss: the schema does not name the key "zone"; it is passed on as it is → did you mean "zones"?`,
		"name: a\nnetworking: {}\nnetworkin: {}\n": "", "name: a\ncolor: 1\n": "", "nam: a\n": "", "closed: {inne: 1}\n": "", "tags: {nam: x}\n": "",
	} {
		root, problems := Parse("f", []byte(text), options)
		if root == nil {
			t.Fatal(problems)
		}
		got := ""
		if found := schema.NearMisses("f", root); len(found) > 0 {
			got = found[0].String()
		}
		if got != want {
			t.Errorf("%q:\n got %s\nwant %s", text, got, want)
		}
	}
}
