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
	return &pipeline.UsageError{Message: strings.Join(names[:last], ", ") + " and " + names[last] + " are not set", Next: strings.Join(next, "\n    ")}
}
