package redact

import (
	"strings"
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
