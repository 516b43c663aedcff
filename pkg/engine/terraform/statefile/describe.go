package statefile

import (
	"fmt"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

func Describe(s pipeline.StateVersion) string {
	if s == (pipeline.StateVersion{}) {
		return "not there"
	}
	return fmt.Sprintf("serial %d of lineage %s", s.Serial, s.Lineage)
}
