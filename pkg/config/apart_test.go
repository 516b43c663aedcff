package config

import (
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// What does not say where a state lies keeps no two states apart.
func TestStatesAreApartByWhatLocatesThem(t *testing.T) {
	t.Parallel()
	const both, customer, environment = "x/{{ customer }}/{{ environment }}", "{{ customer }}", "{{ environment }}"
	for name, c := range map[string]struct {
		backend pipeline.Backend
		apart   bool
	}{
		"address":                    {pipeline.Backend{Type: "http", Config: map[string]string{"address": both}}, true},
		"lock alone":                 {pipeline.Backend{Type: "http", Config: map[string]string{"address": "one", "lock_address": both}}, false},
		"unlock alone":               {pipeline.Backend{Type: "http", Config: map[string]string{"address": "{{ customer }}", "unlock_address": environment}}, false},
		"two arguments":              {pipeline.Backend{Type: "gcs", Config: map[string]string{"bucket": customer, "prefix": environment}}, true},
		"snapshot":                   {pipeline.Backend{Type: "azurerm", Config: map[string]string{"key": "one", "snapshot": both}}, false},
		"prefix of other workspaces": {pipeline.Backend{Type: "s3", Config: map[string]string{"bucket": "b", "key": "one", "workspace_key_prefix": both}}, false},
		"not known, one argument":    {pipeline.Backend{Type: "later", Config: map[string]string{"where": both}}, true},
		"not known, two arguments":   {pipeline.Backend{Type: "later", Config: map[string]string{"where": customer, "label": environment}}, false},
	} {
		if got := namesTarget(c.backend, (&decoder{}).targetPlaceholders()); got != c.apart {
			t.Errorf("%s: %v", name, got)
		}
	}
}
