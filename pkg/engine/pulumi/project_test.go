package pulumi

import "testing"

// TestAliasesOfProject: what an alias stands for in Pulumi.yaml is read, and not its name.
func TestAliasesOfProject(t *testing.T) {
	t.Parallel()
	p, err := parseProject([]byte("description: &called shop\nname: *called\nruntime: yaml\nconfig:\n  size: &text\n    type: string\n    default: small\n    secret: true\n  color: *text\n  zone: &zone eu\n  other: *zone\n"))
	if err != nil {
		t.Fatal(err)
	}
	if p.name != "shop" || p.line != 2 {
		t.Errorf("it reads the name %q in line %d", p.name, p.line)
	}
	for key, want := range map[string]declaration{
		"size": {line: 5, kind: "string", secret: true, optional: true}, "color": {line: 9, kind: "string", secret: true, optional: true},
		"zone": {line: 10, fixed: true}, "other": {line: 11, fixed: true},
	} {
		if got := p.inputs[key]; got != want {
			t.Errorf("%s is %+v, want %+v", key, got, want)
		}
	}
}
