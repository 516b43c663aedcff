package strictyaml

import (
	"fmt"
	"regexp"
	"testing"
)

// TestRemediesPassTheSchema copies every value that a remedy names into the file: the
// schema must accept it. Values come from all kinds of rules, also where two rules hold.
func TestRemediesPassTheSchema(t *testing.T) {
	t.Parallel()
	named := regexp.MustCompile(`write a list: (\[.*\])|"[^"]+"|write the number alone: (\S+)`)
	values := []string{`"8.8.0.0/16"`, `"10.0.0.1/16"`, `"10.0.0.0"`, `"10.0.0.7"`, `"10.0.0.0/255.255.0.0"`, `"10.0.0.0/255.0.255.0"`, `"10.0.0.0/"`, `"x"`, `"2001:db8::/32"`, `"fd00::1/48"`, `"10.0.0.0/16."`,
		`US-EAST-1`, `"us–east–1"`, `us-east-1.`, `"us east 1"`, `"1 000"`, `2 pieces`, `"50%"`, `"١٢"`, `90000`, `"1'000 eur"`, `T3.Micro`, `t3_micro`, `"t3.micro,"`, `aws; gcp`, `[a]`, `{a: 1}`, `true`}
	rules := []string{`{"type":"string","format":"cidr"}`, `{"type":"string","format":"cidr","pattern":"/(1[6-9]|2[0-8])$"}`, `{"type":"string","format":"cidr","pattern":"^192\\."}`, `{"format":"any-cidr","pattern":"/32$"}`,
		`{"format":"cidr","pattern":"^fd"}`, `{"format":"cidr","enum":["10.1.0.0/16"]}`, `{"type":"string","pattern":"^[a-z]{2}-[a-z]+-[1-9]$"}`, `{"enum":["t3.micro","t3.small","x"],"minLength":3}`, `{"enum":["aws"]}`,
		`{"type":"integer"}`, `{"type":"integer","maximum":100}`, `{"type":"number","minimum":10}`, `{"type":"array","items":{"type":"string","minLength":2}}`, `{"allOf":[{"format":"cidr"},{"pattern":"/24$"}]}`, `{"format":"email"}`, `{"format":"ipv4"}`}
	tried := 0
	for _, rule := range rules {
		schema, err := Compile("s.json", []byte(`{"properties": {"a": `+rule+`}}`))
		if err != nil {
			t.Fatal(err)
		}
		for _, value := range values {
			root, _ := Parse("f", []byte("a: "+value+"\n"), options)
			if root == nil {
				t.Fatalf("%s cannot be read", value)
			}
			for _, p := range schema.Validate("f", root) {
				for _, m := range named.FindAllStringSubmatch(p.Remedy, -1) {
					offered := m[0]
					if inside := m[1] + m[2]; inside != "" {
						offered = inside
					}
					tried++
					again, _ := Parse("f", []byte(fmt.Sprintf("a: %s\n", offered)), options)
					if wrong := schema.Validate("f", again); len(wrong) > 0 {
						t.Errorf("%s for %s: the remedy %q names %s, which is refused: %v", value, rule, p.Remedy, offered, wrong)
					}
				}
			}
		}
	}
	if tried < 100 {
		t.Errorf("only %d values were named", tried)
	}
}
