package fault

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub/hubtest"
	"github.com/metapipe/metapipe/pkg/store/miniotest"
)

// storeFaults are the ways in which an answer of S3 goes wrong. Message is the code
// of the error.
var storeFaults = []namedFault{
	{"403", hubtest.Fault{Status: 403, Message: "AccessDenied"}, 1000},
	{"404 once", hubtest.Fault{Status: 404, Message: "NoSuchBucket"}, 1},
	{"409 once", hubtest.Fault{Status: 409, Message: "ConditionalRequestConflict"}, 1},
	{"500", hubtest.Fault{Status: 500, Message: "InternalError"}, 1000},
	{"lost reply once", hubtest.Fault{Reset: true, AfterEffect: true}, 1},
	{"lost reply", hubtest.Fault{Reset: true, AfterEffect: true}, 1000},
	{"slow", hubtest.Fault{Status: 503, Message: "SlowDown", Delay: 300 * time.Millisecond}, 1},
}

// TestFaultStore lets every write of a request to its bucket fail in every way. The
// tool's own writes have tests of their own: what it cannot write is kept.
func TestFaultStore(t *testing.T) {
	t.Parallel()
	server := miniotest.Start(t, miniotest.Options{KMS: true})
	var m tally
	m.report(t)
	n := 0
	for _, at := range writesOf(t, server) {
		if !strings.HasPrefix(at.name, "S3 ") || fixture.OfTool(at.name) {
			continue
		}
		for _, fault := range storeFaults {
			n++
			bucket := fmt.Sprintf("fault-%d", n)
			m.run(t, at.String()+"/"+fault.name, func(t *testing.T) {
				s := fixture.NewPushCase(t, server, bucket)
				fails(s, at, fault.Fault, fault.times)
				s.PlayAll(s.Run)
				s.Disarm(s.Hub)
				s.WantNothingLost(s, s.Run.SHA, "first in staging")
				if fault.times > 1 {
					s.WantRerun(s)
				}
			})
		}
	}
}

// storeReadFaults are the ways in which a read goes wrong, and how often. Message is the
// code of the error.
var storeReadFaults = []namedFault{
	{"403", hubtest.Fault{Status: 403, Message: "AccessDenied"}, 1000},
	{"404 of the bucket", hubtest.Fault{Status: 404, Message: "NoSuchBucket"}, 1},
	{"500 that passes", hubtest.Fault{Status: 500, Message: "InternalError"}, 5},
	{"503", hubtest.Fault{Status: 503, Message: "SlowDown"}, 1000},
	{"reset", hubtest.Fault{Reset: true}, 4},
}

// TestFaultStoreReads lets the reads of each kind of object, and the lists, fail from
// each step on.
func TestFaultStoreReads(t *testing.T) {
	t.Parallel()
	server := miniotest.Start(t, miniotest.Options{KMS: true})
	var m tally
	m.report(t)
	n := 0
	for _, command := range []string{"fetch-vars", "plan", "apply", "report"} {
		for _, fault := range storeReadFaults {
			n++
			bucket := fmt.Sprintf("fault-reads-%d", n)
			m.run(t, command+"/"+fault.name, func(t *testing.T) {
				s := fixture.NewPushCase(t, server, bucket)
				s.WithReads()
				left, hits := fault.times, 0
				s.Arm(s.Hub, &fault.Fault, func(name string) bool {
					read := strings.HasPrefix(name, "S3 GET ") || strings.HasPrefix(name, "S3 HEAD ")
					if s.Current().Command != command || !read || fixture.OfTool(name) || left == 0 {
						return false
					}
					left--
					hits++
					return true
				}, nil)
				s.PlayAll(s.Run)
				s.Disarm(s.Hub)
				if hits == 0 {
					t.Error("nothing went wrong: there was no read")
				}
				s.WantNothingLost(s, s.Run.SHA, "first in staging")
				if fault.times > 100 {
					s.WantRerun(s)
				}
			})
		}
	}
}

// fails lets the same write go wrong from its step on.
func fails(s *fixture.PushCase, at writeAt, fault hubtest.Fault, times int) {
	seen := 0
	s.Arm(s.Hub, &fault, func(name string) bool {
		if step := s.Current(); step.Number < at.step.Number || name != at.name {
			return false
		}
		seen++
		return seen >= at.nth && seen < at.nth+times
	}, nil)
}
