package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/store"
	"github.com/metapipe/metapipe/pkg/store/miniotest"
)

// The requests to S3 of a merge that deploys one customer to two environments.
// The aims are the counts at the time of writing: more than that has to be a
// decision.
var roundTripBudget = []struct {
	command    string
	aim, limit float64
}{
	{"fetch-vars", 13, 13}, // the ledger has 2 to 4 of each step's
	{"plan", 24, 24},
	{"apply", 37, 37},
	{"report", 45, 45}, // of these 10 tell that an apply begins, also to the apply that waits for it
}

// bucket counts what a request asks of S3, and streams a large plan through it.
func (b *bench) bucket(t *testing.T) {
	b.largePlan(t)
	counts, tool := map[string]float64{}, 0
	for _, step := range BucketRoundTrips(t) {
		t.Logf("%s: store %v, tool %v\n\t%s", step.Command, step.Store, step.Tool, strings.Join(step.Asked, "\n\t"))
		for _, n := range step.Store {
			counts[step.Command] += float64(n)
		}
		for _, n := range step.Tool {
			tool += n
		}
	}
	var total, aim, limit float64
	for _, budget := range roundTripBudget {
		total, aim, limit = total+counts[budget.command], aim+budget.aim, limit+budget.limit
		b.add(t, row{name: "S3 requests of a merge, two environments: " + budget.command, measured: counts[budget.command], aim: budget.aim, limit: budget.limit, unit: "calls"})
	}
	b.add(t, row{name: "  all together", measured: total, aim: aim, limit: limit, unit: "calls"})
	b.add(t, row{name: "  those of terraform itself, beside them", measured: float64(tool), unit: "calls"})
}

// largePlan seals plans into S3 and opens them again. A large one that was held
// whole would be seen as its 200 MB and more.
func (b *bench) largePlan(t *testing.T) {
	server := miniotest.Start(t, miniotest.Options{KMS: true})
	server.Bucket(t, "provider-states", true)
	env := server.Environ(server.Root())
	objects, err := store.NewS3(t.Context(), store.S3Options{Bucket: "provider-states", Encryption: store.EncryptionS3, Lookup: func(name string) (string, bool) {
		value, ok := env[name]
		return value, ok
	}})
	if err != nil {
		t.Fatal(err)
	}
	const small, large = 50_000_000, 200_000_000 // bytes
	before, _ := throughStore(t, objects, small)
	grown, took := throughStore(t, objects, large)
	b.add(t, row{name: fmt.Sprintf("plan of %d MB into S3 and back, sealed: heap growth", large/1_000_000), measured: grown / 1e6, aim: 60, limit: 75, unit: "MB"})
	b.add(t, row{name: fmt.Sprintf("  the same of %d MB", small/1_000_000), measured: before / 1e6, unit: "MB"})
	b.add(t, row{name: "  both ways, with the server on the same machine", measured: large / 1e6 / took.Seconds(), unit: "MB/s"})
}

// throughStore writes and reads a sealed plan of size bytes.
func throughStore(t *testing.T, objects *store.S3, size int) (grown float64, took time.Duration) {
	t.Helper()
	sealer, err := store.NewSealer(store.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	key := fmt.Sprintf("shop/staging/plans/%d/artifacts.sealed", size)
	most, began := heapGrowth(), time.Now()
	sealed, into := io.Pipe()
	go func() { into.CloseWithError(sealPlan(sealer, into, size)) }()
	if err := objects.Create(t.Context(), key, sealed); err != nil {
		t.Fatal(err)
	}
	r, err := objects.Open(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	plaintext, err := sealer.Unseal(t.Context(), r, pipeline.Binding{})
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, plaintext)
	if err = errors.Join(err, r.Close()); err != nil || n != int64(size) {
		t.Fatalf("read %d bytes, %v; want %d", n, err, size)
	}
	return most(), time.Since(began)
}

func sealPlan(sealer *store.Sealer, into io.Writer, size int) error {
	block := make([]byte, 1<<16)
	for i := range block {
		block[i] = byte(i * i >> 3)
	}
	w, err := sealer.Seal(context.Background(), into, pipeline.Binding{})
	for left := size; left > 0 && err == nil; left -= len(block) {
		_, err = w.Write(block[:min(left, len(block))])
	}
	if err != nil {
		return err
	}
	return w.Close()
}

// heapGrowth returns a function that ends the watch and tells by how many bytes
// the heap has grown at most.
func heapGrowth() func() float64 {
	debug.FreeOSMemory()
	heap := func() float64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapInuse)
	}
	before := heap()
	end, most := make(chan struct{}), make(chan float64)
	go func() {
		highest := before
		for {
			select {
			case <-end:
				most <- highest - before
				return
			case <-time.After(5 * time.Millisecond):
				highest = max(highest, heap())
			}
		}
	}()
	return func() float64 {
		close(end)
		return <-most
	}
}
