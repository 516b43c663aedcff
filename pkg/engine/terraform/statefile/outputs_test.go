package statefile

import (
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

func TestReadOutputs(t *testing.T) {
	t.Parallel()
	outputs, err := ReadOutputs(strings.NewReader(`{"version":4,"lineage":"l","outputs":{"b":{"value":[1,"x"],"type":["tuple",["number","string"]]},"a":{"value":"s","type":"string","sensitive":true},"n":{"value":null,"type":"string"}},"resources":[{"outputs":1}]}`))
	if err != nil || len(outputs) != 3 || outputs[0].Name != "a" || !outputs[0].Sensitive || string(outputs[1].Value) != `[1,"x"]` || !outputs[2].Known() {
		t.Errorf("%+v (%v)", outputs, err)
	}
	if outputs, err := ReadOutputs(strings.NewReader(`{"version":4,"outputs":{}}`)); err != nil || outputs == nil || len(outputs) != 0 {
		t.Errorf("no outputs are known to be none: %#v (%v)", outputs, err)
	}
	for name, state := range map[string]string{
		"nothing": "", "another version": `{"version":5,"outputs":{}}`, "no version": `{"outputs":{}}`, "encrypted": `{"version":4,"encrypted_data":"x","outputs":{}}`, "a list": `{"version":4,"outputs":[]}`,
		"no value": `{"version":4,"outputs":{"a":{"type":"string"}}}`, "cut": `{"version":4,"outputs":{"a":{"value":"s"`, "a text": `{"version":4,"outputs":{"a":"s"}}`,
	} {
		if outputs, err := ReadOutputs(strings.NewReader(state)); err == nil || outputs != nil {
			t.Errorf("%s: %v", name, outputs)
		}
	}
}

// FuzzOutputs: what is read of a state can be checked and passed on, or is refused.
func FuzzOutputs(f *testing.F) {
	f.Add([]byte(`{"version":4,"outputs":{"a":{"value":"s","type":"string","sensitive":true}}}`))
	f.Add([]byte(`{"version":4,"OUTPUTS":{"a":{"value":1}},"outputs":{"a":{"value":2}}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		outputs, err := ReadOutputs(strings.NewReader(string(b)))
		if err != nil || pipeline.CheckOutputs(outputs) != nil {
			return
		}
		if _, err := pipeline.EncodeOutputs(outputs); err != nil {
			t.Fatalf("%q is checked and not written: %v", b, err)
		}
	})
}
