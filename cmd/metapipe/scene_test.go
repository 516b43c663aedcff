package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/store/miniotest"
)

// writeAt is one write of a request that goes well: in which of its steps, and
// which one of those with its name there.
type writeAt struct {
	step stepName
	name string
	nth  int
}

func (w writeAt) String() string {
	return strings.ReplaceAll(fmt.Sprintf("%02d %s: %s, %d", w.step.number, w.step.command, w.name, w.nth), "/", "|")
}

// scene is a push on a world whose store is a bucket.
type scene struct {
	*carrier
	*front
	run workflowRun
}

func newScene(t *testing.T, server *miniotest.Server, bucket string) *scene {
	t.Helper()
	w := newWorld(t, nil)
	s := &scene{carrier: newCarrier(w), front: newFront(t, server, w, bucket)}
	s.onFailure(t)
	s.run = w.push("main", map[string]string{"infra/variables.yml": "name: first\nenvironments:\n  staging: {}\n"})
	return s
}

// writesOf carries a request that goes well and returns all that it writes.
func writesOf(t *testing.T, server *miniotest.Server) []writeAt {
	t.Helper()
	s := newScene(t, server, "recorded")
	return s.recorded(func() bool { good, _ := s.carry(s.run); return good })
}

// recorded returns all that is written while something is carried to a good end.
func (s *scene) recorded(carry func() bool) []writeAt {
	s.t.Helper()
	var all []writeAt
	seen := map[string]int{}
	s.arm(s.hub, nil, func(name string) bool {
		step := s.current()
		key := fmt.Sprint(step, name)
		seen[key]++
		all = append(all, writeAt{step, name, seen[key]})
		return false
	}, nil)
	if !carry() {
		s.t.Fatalf("it does not end well:\n%s", s.log.String())
	}
	s.disarm(s.hub)
	return all
}
