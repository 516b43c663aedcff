package config

import (
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// The values that a customer's file may leave out.
const (
	DefaultPath = "infra"
	DefaultRoot = "terraform"
)

// DefaultStateDirectory holds states and plans where neither metapipe.yml nor
// the environment names a place for them.
const DefaultStateDirectory = ".metapipe/state"

// Default is what holds where metapipe.yml is silent, and all of it where there
// is none, as on a laptop: staging, then production behind a gate, any version
// of terraform, and signed requests only.
func Default() pipeline.Manager {
	return pipeline.Manager{
		Environments: []pipeline.EnvironmentRule{{Name: "staging"}, {Name: "production", Gated: true}},
		Tool:         pipeline.ToolRule{Name: "terraform"},
		Trust:        pipeline.TrustRequired,
		// Where there are no rules yet, none is broken.
		CustomerVariables: []string{"*"},
		Redaction:         pipeline.RedactionValues,
		Limits: pipeline.Limits{
			VariablesBytes: 256 << 10,
			PlanTTL:        72 * time.Hour,
			PlanTimeout:    30 * time.Minute,
			ApplyTimeout:   2 * time.Hour,
			LockTimeout:    5 * time.Minute,
		},
	}
}

func customerName(label string) pipeline.CustomerName {
	var b strings.Builder
	for _, r := range strings.ToLower(label) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		default:
			b.WriteByte('-')
		}
	}
	s := strings.Trim(b.String(), "-")
	s = strings.Trim(s[:min(len(s), 63)], "-")
	if s == "" {
		s = "local"
	}
	return pipeline.CustomerName(s)
}
