package variables_test

import (
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/variables"
)

// TestNeededVariables: no key sets the outputs of a needed stack, whatever is open.
func TestNeededVariables(t *testing.T) {
	t.Parallel()
	s := variables.Settable{Declared: map[string]bool{"network": true}, Open: []string{variables.AnyVariable, "network"}, Needed: []string{"network"}}
	raw := "network: {id: x}\nname: shop\nenvironments:\n  staging:\n    network: {id: y}\n    deep: {network: fine}\n"
	problems := s.Check("infra/variables.yml", []byte(raw), pipeline.Limits{VariablesBytes: 1 << 16})
	var got []string
	for _, p := range problems {
		got = append(got, p.Position.String()+" "+p.Rule)
		if p.Warning || p.Remedy == "" || !strings.Contains(p.Message, "the outputs of the stack network") {
			t.Errorf("%+v", p)
		}
	}
	want := "infra/variables.yml:1:1 needed-variable, infra/variables.yml:5:5 needed-variable"
	if strings.Join(got, ", ") != want {
		t.Errorf("got %s, want %s", strings.Join(got, ", "), want)
	}
	s.Needed = nil
	if problems := s.Check("infra/variables.yml", []byte(raw), pipeline.Limits{VariablesBytes: 1 << 16}); len(problems) != 0 {
		t.Errorf("%v", problems)
	}
}
