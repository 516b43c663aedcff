package main

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
	target := must(url.Parse(endpoint))(t)
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
			b, w := newTenant(t), newWorld(t, nil)
			b.deployed(w)
			m := bucketMove{tenant: b, w: w, breaker: newBreaker(t, b.server.Endpoint), before: b.object("shop/staging/terraform.tfstate")}
			w.renameCustomer("shop", "store")
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
			if there := b.object("store/staging/terraform.tfstate"); there == nil || !sameContent(t, there, m.before) {
				t.Errorf("the new name has\n%s", there)
			}
			r := b.requested(w, "# again\n"+variablesYML)
			w.newJob(r.run).with(b.root()...).do(0, r.args("plan", "staging")...).want(t, "outcome=no-changes")
		})
	}
}

// bucketMove is the move of shop to store in a bucket that breaks.
type bucketMove struct {
	tenant
	w       *world
	breaker *breaker
	before  []byte // the state of shop
}

// progress is how many objects the bucket has, without variables that no record names yet.
func (m bucketMove) progress() int {
	m.t.Helper()
	return len(m.keys("")) - len(m.keys(".variables"))
}

// stopped runs the move until a number of writes has passed, and reports whether it was
// stopped there.
func (m bucketMove) stopped(writes int, killed bool) bool {
	m.t.Helper()
	j := m.w.driftJob().with(m.root()...).with("AWS_ENDPOINT_URL_S3=" + m.breaker.url)
	started := make(chan *running, 1) // the write may come before start returns
	var kill func()
	if killed {
		kill = func() { _ = (<-started).cmd.Process.Kill() }
	}
	m.breaker.after(writes, kill)
	p := j.start("customer", "rename", "shop", "store", "--apply")
	started <- p
	end, broke := p.wait(), m.breaker.broke()
	want := []int{0}
	switch {
	case broke && killed:
		want = []int{-1}
	case broke:
		want = []int{1, 4} // refused: the lock that the tool may not remove
	}
	if !slices.Contains(want, end.exit) {
		m.t.Fatalf("after %d writes: exit code %d, want one of %d:\n%s", writes, end.exit, want, end.log)
	}
	m.t.Logf("after %d writes: exit code %d, %d objects", writes, end.exit, m.progress())
	m.settle(killed)
	if !bytes.Equal(m.object("shop/staging/terraform.tfstate"), m.before) {
		m.t.Fatalf("after %d writes the state of the old name has changed", writes)
	}
	if there := m.object("store/staging/terraform.tfstate"); there != nil && !sameContent(m.t, there, m.before) {
		m.t.Fatalf("after %d writes the new name has another state:\n%s\nand the old one\n%s", writes, there, m.before)
	}
	if named := m.named(); broke && named == "both" {
		m.t.Fatalf("after %d writes both names plan", writes)
	}
	return broke
}

// settle waits for the tool, which outlives metapipe and releases its lock. A lock that
// it may not remove is released by hand, as the refusal of the next move says.
func (m bucketMove) settle(killed bool) {
	m.t.Helper()
	const lock = "store/staging/terraform.tfstate.tflock"
	if killed {
		await(m.t, "the tool to end", func() bool { return len(m.keys(lock)) == 0 })
		return
	}
	held := m.object(lock)
	if held == nil {
		return
	}
	again := m.w.driftJob().with(m.root()...)
	again.do(4, "customer", "rename", "shop", "store", "--apply").says(m.t, "store/staging is locked", "metapipe unlock")
	again.binary = "metapipe-later"
	again.do(0, "unlock", "--customer", "store", "--environment", "staging", "--lock-id", lockID(held), "--no-run").says(m.t, "is released")
}

// named is the name under which the place of the customer plans: none while a move has
// come as far as its last write.
func (m bucketMove) named() string {
	m.t.Helper()
	env := m.server.Environ(m.server.Root())
	objects := must(store.NewS3(m.t.Context(), store.S3Options{Bucket: m.bucket.Name, Encryption: store.EncryptionS3, Lookup: func(name string) (string, bool) {
		value, ok := env[name]
		return value, ok
	}}))(m.t)
	sealer := must(store.NewSealer(must(store.ParseKey(m.w.key))(m.t)))(m.t)
	var names []string
	for _, name := range []pipeline.CustomerName{"shop", "store"} {
		c := pipeline.Customer{Name: name, RepositoryID: m.w.customer.ID(), Path: "infra"}
		err := registry.CheckRegistered(m.t.Context(), objects, sealer, c)
		var renamed *pipeline.RenamedError
		switch {
		case err == nil:
			names = append(names, string(name))
		case !errors.As(err, &renamed):
			m.t.Fatal(err)
		}
	}
	if len(names) == 2 {
		return "both"
	}
	return strings.Join(names, "")
}

// object is the content of an object; nil: there is none.
func (b tenant) object(key string) []byte {
	b.t.Helper()
	if !slices.Contains(b.keys(key), key) {
		return nil
	}
	out := must(b.server.Client(b.server.Root()).GetObject(b.t.Context(), &s3.GetObjectInput{Bucket: &b.bucket.Name, Key: &key}))(b.t)
	content := must(io.ReadAll(out.Body))(b.t)
	check(b.t, out.Body.Close())
	return content
}

// requested sends a push, and lets a manager that may do everything accept it.
func (b tenant) requested(w *world, variables string) *request {
	b.t.Helper()
	trigger := w.newJob(w.push("main", map[string]string{"infra/variables.yml": variables})).start("trigger")
	r := &request{w: w, trigger: trigger.j.run, run: w.queued()}
	fetched := w.newJob(r.run).with(b.root()...).do(0, "fetch-vars")
	r.customer, r.id = fetched.outputs["customer"], fetched.outputs["request-id"]
	if end := trigger.wait(); end.exit != 0 {
		b.t.Fatal(end.log)
	}
	return r
}

// deployed brings shop to where its state and its records are in the bucket.
func (b tenant) deployed(w *world) {
	b.t.Helper()
	r := b.requested(w, variablesYML)
	for _, command := range []string{"plan", "apply"} {
		w.newJob(r.run).with(b.root()...).do(0, r.args(command, "staging")...)
	}
	w.newJob(r.run).with(b.root()...).do(0, "report", "--customer", r.customer, "--request", r.id, "--final")
}

// sameContent compares two states but for the lineage and the serial: Terraform gives a state
// new ones with its first write to a bucket.
func sameContent(t *testing.T, a, b []byte) bool {
	t.Helper()
	var states [2]map[string]any
	for i, raw := range [][]byte{a, b} {
		check(t, json.Unmarshal(raw, &states[i]))
		delete(states[i], "lineage")
		delete(states[i], "serial")
	}
	return reflect.DeepEqual(states[0], states[1])
}
