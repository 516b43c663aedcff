package fault

import (
	"fmt"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/store/miniotest"
)

// writeAt is one write of a request that goes well: in which of its steps, and
// which one of those with its name there.
type writeAt struct {
	step fixture.StepName
	name string
	nth  int
}

func (w writeAt) String() string {
	return strings.ReplaceAll(fmt.Sprintf("%02d %s: %s, %d", w.step.Number, w.step.Command, w.name, w.nth), "/", "|")
}

// writesOf carries a request that goes well and returns all that it writes.
func writesOf(t *testing.T, server *miniotest.Server) []writeAt {
	t.Helper()
	s := fixture.NewPushCase(t, server, "recorded")
	return recorded(s, func() bool { good, _ := s.PlayAll(s.Run); return good })
}

// recorded returns all that is written while something is carried to a good end.
func recorded(s *fixture.PushCase, carry func() bool) []writeAt {
	s.T.Helper()
	var all []writeAt
	seen := map[string]int{}
	s.Arm(s.Hub, nil, func(name string) bool {
		step := s.Current()
		key := fmt.Sprint(step, name)
		seen[key]++
		all = append(all, writeAt{step, name, seen[key]})
		return false
	}, nil)
	if !carry() {
		s.T.Fatalf("it does not end well:\n%s", s.Transcript())
	}
	s.Disarm(s.Hub)
	return all
}
