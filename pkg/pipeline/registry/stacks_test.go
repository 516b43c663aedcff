package registry_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/registry"
)

// TestOwnerOfOneStack: an operator who gives one stack to a repository gives it no other
// stack of the environment, and the error names the stack and its flags.
func TestOwnerOfOneStack(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	records := pipelinetest.RecordsOf(w.Store, w.Sealer)
	seven, eight := w.Current, ofRepository8(w, "acme")
	if err := registry.Create(t.Context(), records, seven, 1, w.Now); err != nil {
		t.Fatal(err)
	}
	target := func(stack pipeline.StackName) pipeline.Target {
		return pipeline.Target{Customer: "acme", Environment: "staging", Stack: stack}
	}
	if err := registry.RegisterOwner(t.Context(), records, eight, target("network"), w.Tick()); err != nil {
		t.Fatal(err)
	}
	if err := registry.CheckRegisteredOwner(t.Context(), records, eight, target("network")); err != nil {
		t.Errorf("its own stack: %v", err)
	}
	for _, other := range []pipeline.Target{target("hosts"), target(""), {Customer: "acme", Environment: "production", Stack: "network"}} {
		err := registry.CheckRegisteredOwner(t.Context(), records, eight, other)
		var owner *pipeline.OwnerError
		if !errors.As(err, &owner) || owner.Target != other || !strings.Contains(err.Error(), "metapipe state accept "+other.Flags()+" --repository-id 8") {
			t.Errorf("%s: %v", other, err)
		}
	}
	if err := registry.CheckRegisteredOwner(t.Context(), records, seven, target("network")); err == nil {
		t.Error("the stack still belongs to the first repository, too")
	}
}
