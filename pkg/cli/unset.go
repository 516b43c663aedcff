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
		return pipeline.Usagef("%s is not set%s", missing[0].name, missing[0].why).Nextf("%s", missing[0].next)
	}
	var names, next []string
	for _, m := range missing {
		names = append(names, m.name)
		next = append(next, m.name+": "+m.next)
	}
	last := len(names) - 1
	return pipeline.Usagef("%s and %s are not set", strings.Join(names[:last], ", "), names[last]).Nextf("%s", strings.Join(next, "\n    "))
}
