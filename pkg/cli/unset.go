package cli

import (
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// unset is a secret that a command needs and does not have.
type unset struct {
	name string
	why  string // behind "is not set"; may be empty
	next string
}

// unsetSecrets is the error that names all secrets that are missing at once.
func unsetSecrets(missing []unset) error {
	if len(missing) == 1 {
		return &pipeline.UsageError{Message: missing[0].name + " is not set" + missing[0].why, Next: missing[0].next}
	}
	var names, next []string
	for _, m := range missing {
		names = append(names, m.name)
		next = append(next, m.name+": "+m.next)
	}
	last := len(names) - 1
	return &pipeline.UsageError{Message: strings.Join(names[:last], ", ") + " and " + names[last] + " are not set", Next: strings.Join(next, "\n  → ")}
}

// unsetToken is the token of a variable that is not set.
func (s *step) unsetToken(name string) unset {
	next := "pass the secret to this step through `env:`"
	if !s.context.InActions {
		next = "run: export " + name + "=$(gh auth token)"
	}
	if name != envOwnToken {
		next += ", or " + envAppID + " and " + envAppKey + " of a GitHub App"
	}
	return unset{name: name, next: next}
}

// keyIsUnset reports whether there is nothing to seal with.
func (m *manager) keyIsUnset() bool {
	return m.app.getenv(envKey) == "" && len(m.config.Manager.SealingKeys) == 0
}

func (m *manager) unsetKey() unset {
	next := "make one with `openssl rand -base64 32` and store it as a secret of the manager repository, or name KMS keys in `sealing_keys` of metapipe.yml"
	if !m.context.InActions {
		next = "set it to the manager's key, the secret of its repository: a new key opens nothing that is stored already. For a manager of your own machine, make one with `openssl rand -base64 32`"
	}
	return unset{name: envKey, why: ": plans and variables are stored encrypted only", next: next}
}

// checkSecrets refuses a command that lacks its key or tokens, before it does anything.
// Half of the variables of an App are a mistake of their own, which clientFor names.
func (m *manager) checkSecrets(tokens []string) error {
	var missing []unset
	if m.keyIsUnset() {
		missing = append(missing, m.unsetKey())
	}
	app := m.app.getenv(envAppID) != "" || m.app.getenv(envAppKey) != ""
	for _, name := range tokens {
		if m.app.getenv(name) == "" && (name == envOwnToken || !app) {
			missing = append(missing, m.unsetToken(name))
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return unsetSecrets(missing)
}
