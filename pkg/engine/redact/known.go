package redact

import (
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

func Known(secrets []string) Secrets {
	set := Secrets{}
	for _, secret := range secrets {
		if secret = strings.TrimSpace(secret); len(secret) >= minSecret {
			set[secret] = struct{}{}
		}
	}
	return set
}

// OfJob are the texts that are secret before a tool runs: the known ones, and the sensitive
// outputs of needed stacks.
func OfJob(known func() []string, needed []pipeline.NeededOutputs) Secrets {
	var texts []string
	if known != nil {
		texts = known()
	}
	secrets := Known(texts)
	for _, n := range needed {
		for _, o := range n.Values {
			if o.Sensitive && o.Known() {
				// A value that cannot be read is no text, and is refused where it is passed on.
				_ = secrets.AddRaw(o.Value)
			}
		}
	}
	return secrets
}
