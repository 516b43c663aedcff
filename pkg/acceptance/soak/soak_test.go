package soak

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub/hubtest"
	"github.com/metapipe/metapipe/pkg/store/miniotest"
)

// TestSoak carries requests through random faults of GitHub and of the bucket for as
// long as METAPIPE_SOAK says ("2m"), by default for one round. Each round has a seed
// of its own, which is printed; METAPIPE_SOAK_SEED plays that one round again.
func TestSoak(t *testing.T) {
	t.Parallel()
	server := miniotest.Start(t, miniotest.Options{KMS: true})
	if text := os.Getenv("METAPIPE_SOAK_SEED"); text != "" {
		soak(t, server, fixture.Must(strconv.ParseUint(text, 10, 64))(t))
		return
	}
	first, rounds, end := uint64(1), 1, time.Time{}
	if text := os.Getenv("METAPIPE_SOAK"); text != "" {
		first, rounds, end = rand.Uint64()>>16, 1<<30, time.Now().Add(fixture.Must(time.ParseDuration(text))(t))
	}
	played := 0
	for ; played < rounds && (end.IsZero() || time.Now().Before(end)); played++ {
		if !soak(t, server, first+uint64(played)) {
			return
		}
	}
	fmt.Printf("%s: %d rounds, %d ok\n", t.Name(), played, played)
}

// soak is one round: three requests, each with random faults of its reads and writes, and then
// one with none. It reports whether all is well.
func soak(t *testing.T, server *miniotest.Server, seed uint64) bool {
	return t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
		fmt.Printf("soak: seed %d (again: SEED=%[1]d make soak)\n", seed)
		r := rand.New(rand.NewPCG(seed, seed)) // reproducible
		s := fixture.NewPushCase(t, server, fmt.Sprintf("soak-%d", seed))
		s.WithReads()
		for n := range 3 {
			name := fmt.Sprintf("soak-%d", n)
			run := s.Push("main", map[string]string{"infra/variables.yml": "name: " + name + "\nenvironments:\n  staging: {}\n"})
			fault, share, most := randomFault(r), 1+r.IntN(12), 1+r.IntN(6)
			t.Logf("request %d: %+v, 1 of %d reads and writes, %d at most", n, fault, share, most)
			// By its number, since the names of writes hold what differs each time.
			at := r.Perm(128)[:128/share] // a request has about as many reads and writes
			hit := map[int]bool{}
			for _, number := range at {
				hit[number] = true
			}
			number := 0
			s.Arm(s.Hub, &fault, func(name string) bool {
				number++
				if fixture.OfTool(name) || !hit[number] || most == 0 {
					return false
				}
				most--
				return true
			}, nil)
			s.PlayAll(run)
			s.Disarm(s.Hub)
			s.WantNothingLost(s, run.SHA, name+" in staging")
		}
		s.WantRerun(s)
	})
}

// randomFault is one that both GitHub and S3 can have.
func randomFault(r *rand.Rand) hubtest.Fault {
	faults := []hubtest.Fault{
		{Status: 403, Message: "AccessDenied"}, {Status: 404, Message: "NoSuchBucket"}, {Status: 409, Message: "ConditionalRequestConflict"},
		{Status: 422, Message: "Invalid"}, {Status: 429, Message: "SlowDown"}, {Status: 500, Message: "InternalError"}, {Status: 502, Message: "BadGateway"},
		{Status: 500, Message: "InternalError", AfterEffect: true}, {Reset: true}, {Reset: true, AfterEffect: true},
	}
	return faults[r.IntN(len(faults))]
}
