package bucket

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/registry"
	"github.com/metapipe/metapipe/pkg/store"
)

// breaker is a server that lets some writes to a bucket pass, and breaks the next one.
type breaker struct {
	url  string
	pass http.Handler
	mu   sync.Mutex
	left int    // writes that still pass
	kill func() // nil: the write is denied
}

func newBreaker(t *testing.T, endpoint string) *breaker {
	t.Helper()
	target := fixture.Must(url.Parse(endpoint))(t)
	b := &breaker{pass: &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host // it is signed
	}}}
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	b.url = server.URL
	return b
}

// ServeHTTP denies the write that is one too many. With kill it comes through, and
// metapipe is dead before the answer, which is of use to the tool alone.
func (b *breaker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		b.pass.ServeHTTP(w, r)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left--
	switch {
	case b.left != -1:
		b.pass.ServeHTTP(w, r)
	case b.kill == nil:
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "<Error><Code>AccessDenied</Code><Message>Access Denied.</Message></Error>")
	default:
		answer := httptest.NewRecorder()
		b.pass.ServeHTTP(answer, r)
		b.kill()
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	}
}

// after sets how many writes pass, and what happens to the next one.
func (b *breaker) after(writes int, kill func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left, b.kill = writes, kill
}

func (b *breaker) broke() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.left < 0
}

// TestRenameInABucketStopped moves a customer in a bucket where each write in its turn is
// denied, or is the last one before metapipe is killed. In between no two names plan, the
// state of the old name stays, and the new name has all of it or none. Run again, the move
// goes on, and completes.
func TestRenameInABucketStopped(t *testing.T) {
	t.Parallel()
	for name, killed := range map[string]bool{"writes are denied": false, "metapipe is killed": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, w := fixture.NewTenant(t), fixture.New(t, nil)
			deployedTenant(b, w)
			m := bucketMove{Tenant: b, w: w, breaker: newBreaker(t, b.Server.Endpoint), before: object(b, "shop/staging/terraform.tfstate")}
			w.RenameCustomer("shop", "store")
			first := 1 // a denied write leaves nothing
			if killed {
				first = 0
			}
			stops, writes, before := 0, first, m.progress()
			for ; stops < 25 && m.stopped(writes, killed); stops++ {
				after := m.progress()
				if writes++; after != before {
					before, writes = after, first
				}
			}
			if stops < 4 || stops == 25 {
				t.Errorf("the rename was stopped %d times", stops)
			}
			if named := m.named(); named != "store" {
				t.Errorf("at the end %q plans", named)
			}
			if there := object(b, "store/staging/terraform.tfstate"); there == nil || !sameContent(t, there, m.before) {
				t.Errorf("the new name has\n%s", there)
			}
			r := requested(b, w, "# again\n"+fixture.VariablesYML)
			w.NewJob(r.Run).With(b.Root()...).Do(0, r.Args("plan", "staging")...).Want(t, "outcome=no-changes")
		})
	}
}

// bucketMove is the move of shop to store in a bucket that breaks.
type bucketMove struct {
	fixture.Tenant
	w       *fixture.Setup
	breaker *breaker
	before  []byte // the state of shop
}

// progress is how many objects the bucket has.
func (m bucketMove) progress() int {
	m.T.Helper()
	return len(m.Keys(""))
}

// stopped runs the move until a number of writes has passed, and reports whether it was
// stopped there.
func (m bucketMove) stopped(writes int, killed bool) bool {
	m.T.Helper()
	j := m.w.DriftJob().With(m.Root()...).With("AWS_ENDPOINT_URL_S3=" + m.breaker.url)
	started := make(chan *fixture.Running, 1) // the write may come before start returns
	var kill func()
	if killed {
		kill = func() { _ = (<-started).Kill() }
	}
	m.breaker.after(writes, kill)
	p := j.Start("customer", "rename", "shop", "store", "--apply")
	started <- p
	end, broke := p.Wait(), m.breaker.broke()
	want := []int{0}
	switch {
	case broke && killed:
		want = []int{-1}
	case broke:
		want = []int{1, 4} // refused: the lock that the tool may not remove
	}
	if !slices.Contains(want, end.Exit) {
		m.T.Fatalf("after %d writes: exit code %d, want one of %d:\n%s", writes, end.Exit, want, end.Log)
	}
	m.T.Logf("after %d writes: exit code %d, %d objects", writes, end.Exit, m.progress())
	m.settle(killed)
	if !bytes.Equal(object(m.Tenant, "shop/staging/terraform.tfstate"), m.before) {
		m.T.Fatalf("after %d writes the state of the old name has changed", writes)
	}
	if there := object(m.Tenant, "store/staging/terraform.tfstate"); there != nil && !sameContent(m.T, there, m.before) {
		m.T.Fatalf("after %d writes the new name has another state:\n%s\nand the old one\n%s", writes, there, m.before)
	}
	if named := m.named(); broke && named == "both" {
		m.T.Fatalf("after %d writes both names plan", writes)
	}
	return broke
}

// settle waits for the tool, which outlives metapipe and releases its lock. A lock that
// it may not remove is released by hand, as the refusal of the next move says.
func (m bucketMove) settle(killed bool) {
	m.T.Helper()
	const lock = "store/staging/terraform.tfstate.tflock"
	if killed {
		fixture.Await(m.T, "the tool to end", func() bool { return len(m.Keys(lock)) == 0 })
		return
	}
	held := object(m.Tenant, lock)
	if held == nil {
		return
	}
	again := m.w.DriftJob().With(m.Root()...)
	again.Do(4, "customer", "rename", "shop", "store", "--apply").Says(m.T, "store/staging is locked", "metapipe unlock")
	again.Binary = "metapipe-later"
	again.Do(0, "unlock", "--customer", "store", "--environment", "staging", "--lock-id", fixture.LockID(held), "--no-run").Says(m.T, "is released")
}

// named is the name under which the place of the customer plans: none while a move has
// come as far as its last write.
func (m bucketMove) named() string {
	m.T.Helper()
	env := m.Server.Environ(m.Server.Root())
	objects := fixture.Must(store.NewS3(m.T.Context(), store.S3Options{Bucket: m.Bucket.Name, Encryption: store.EncryptionS3, Lookup: func(name string) (string, bool) {
		value, ok := env[name]
		return value, ok
	}}))(m.T)
	sealer := fixture.Must(store.NewSealer(fixture.Must(store.ParseKey(m.w.Key))(m.T)))(m.T)
	var names []string
	for _, name := range []pipeline.CustomerName{"shop", "store"} {
		c := pipeline.Customer{Name: name, RepositoryID: m.w.Customer.ID(), Path: "infra"}
		err := registry.CheckRegistered(m.T.Context(), objects, sealer, c)
		var renamed *pipeline.RenamedError
		switch {
		case err == nil:
			names = append(names, string(name))
		case !errors.As(err, &renamed):
			m.T.Fatal(err)
		}
	}
	if len(names) == 2 {
		return "both"
	}
	return strings.Join(names, "")
}

// object is the content of an object; nil: there is none.
func object(b fixture.Tenant, key string) []byte {
	b.T.Helper()
	if !slices.Contains(b.Keys(key), key) {
		return nil
	}
	out := fixture.Must(b.Server.Client(b.Server.Root()).GetObject(b.T.Context(), &s3.GetObjectInput{Bucket: &b.Bucket.Name, Key: &key}))(b.T)
	content := fixture.Must(io.ReadAll(out.Body))(b.T)
	fixture.Check(b.T, out.Body.Close())
	return content
}

// requested sends a push, and lets a manager that may do everything accept it.
func requested(b fixture.Tenant, w *fixture.Setup, variables string) *fixture.Request {
	b.T.Helper()
	trigger := w.NewJob(w.Push("main", map[string]string{"infra/variables.yml": variables})).Start("trigger")
	r := &fixture.Request{W: w, Trigger: trigger.Job().Run, Run: w.Queued()}
	fetched := w.NewJob(r.Run).With(b.Root()...).Do(0, "fetch-vars")
	r.Customer, r.ID = fetched.Outputs["customer"], fetched.Outputs["request-id"]
	if end := trigger.Wait(); end.Exit != 0 {
		b.T.Fatal(end.Log)
	}
	return r
}

// deployedTenant brings shop to where its state and its records are in the bucket.
func deployedTenant(b fixture.Tenant, w *fixture.Setup) {
	b.T.Helper()
	r := requested(b, w, fixture.VariablesYML)
	for _, command := range []string{"plan", "apply"} {
		w.NewJob(r.Run).With(b.Root()...).Do(0, r.Args(command, "staging")...)
	}
	w.NewJob(r.Run).With(b.Root()...).Do(0, "report", "--customer", r.Customer, "--request", r.ID, "--final")
}

// sameContent compares two states but for the lineage and the serial: Terraform gives a state
// new ones with its first write to a bucket.
func sameContent(t *testing.T, a, b []byte) bool {
	t.Helper()
	var states [2]map[string]any
	for i, raw := range [][]byte{a, b} {
		fixture.Check(t, json.Unmarshal(raw, &states[i]))
		delete(states[i], "lineage")
		delete(states[i], "serial")
	}
	return reflect.DeepEqual(states[0], states[1])
}
