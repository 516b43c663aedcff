package record

import "github.com/metapipe/metapipe/pkg/pipeline"

// Destroyed reports whether the last apply was a destroy that left nothing, and no state
// was put in its place since. Resources of an encrypted state cannot be counted: the
// destroy went well, so that there are none.
func (l LastApply) Destroyed() bool {
	return l.Receipt.Mode == pipeline.ModeDestroy && l.Accepted == nil && l.State.LeftNothing()
}
