package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub/hubtest"
	"github.com/metapipe/metapipe/pkg/store/miniotest"
)

// StoreProxy stands before a bucket of the S3 server and before GitHub, and sees every
// write on its way. Its bucket is that of one world.
type StoreProxy struct {
	T      *testing.T
	Server *miniotest.Server
	Bucket string

	mu sync.Mutex
	// reads: see is told of reads too.
	reads bool
	// see is told of each write, one at a time, and picks those that go wrong.
	see func(name string) bool
	// call is what a picked write does first, and fault how its answer goes wrong:
	// nil for not at all.
	call  func()
	fault *hubtest.Fault
}

// NewStoreProxy gives the world a bucket of its own on a server.
func NewStoreProxy(t *testing.T, server *miniotest.Server, w *Setup, bucket string) *StoreProxy {
	t.Helper()
	f := &StoreProxy{T: t, Server: server, Bucket: bucket, see: func(string) bool { return false }}
	server.Bucket(t, bucket, true)
	target := Must(url.Parse(server.Endpoint))(t)
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host // is signed
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.serve(proxy, w, r) }))
	t.Cleanup(front.Close)
	w.Environ = append(w.Environ, "METAPIPE_STORE=", "TF_STATE_BUCKET="+bucket)
	for name, value := range server.Environ(server.Root()) {
		if name == "AWS_ENDPOINT_URL_S3" {
			value = front.URL
		}
		w.Environ = append(w.Environ, name+"="+value)
	}
	return f
}

// Arm lets the picked writes go wrong from now on, those to GitHub too.
func (f *StoreProxy) Arm(github *hubtest.Server, fault *hubtest.Fault, see func(name string) bool, call func()) {
	f.mu.Lock()
	f.see, f.fault, f.call = see, fault, call
	f.mu.Unlock()
	wrong := hubtest.Fault{Reset: true} // is not inflicted when fault is nil
	if fault != nil {
		wrong = *fault
	}
	github.Fail(hubtest.Matcher{Request: func(r *http.Request) bool {
		return f.watches(r) && f.picks(githubName(r)) && fault != nil
	}}, wrong, 1<<30)
}

// Disarm lets everything go well from now on.
func (f *StoreProxy) Disarm(github *hubtest.Server) {
	f.mu.Lock()
	f.see = func(string) bool { return false }
	f.mu.Unlock()
	github.ClearFaults()
}

// watches reports whether see is told of a request.
func (f *StoreProxy) watches(r *http.Request) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reads || r.Method != http.MethodGet && r.Method != http.MethodHead
}

// WithReads lets reads go wrong too from now on.
func (f *StoreProxy) WithReads() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reads = true
}

func (f *StoreProxy) picks(name string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.see(name) {
		return false
	}
	if f.call != nil {
		f.call()
	}
	return true
}

func githubName(r *http.Request) string {
	name := "GitHub " + r.Method + " " + plainKey(r.URL.Path)
	var sent struct{ Context, State string }
	if json.NewDecoder(r.Body).Decode(&sent) == nil && sent.Context != "" {
		name += " " + sent.Context + " " + sent.State
	}
	return name
}

func (f *StoreProxy) serve(proxy http.Handler, w http.ResponseWriter, r *http.Request) {
	if !f.watches(r) {
		proxy.ServeHTTP(w, r)
		return
	}
	// From here on the writer may die: what it has sent is on its way.
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // it is dead already
	}
	r = r.WithContext(context.WithoutCancel(r.Context()))
	r.Body = io.NopCloser(bytes.NewReader(body))
	if !f.picks("S3 "+r.Method+" "+plainKey(strings.TrimPrefix(r.URL.Path, "/"+f.Bucket))) || f.fault == nil {
		proxy.ServeHTTP(w, r)
		return
	}
	if f.fault.AfterEffect {
		proxy.ServeHTTP(httptest.NewRecorder(), r)
	}
	if f.fault.Reset {
		panic(http.ErrAbortHandler)
	}
	time.Sleep(f.fault.Delay)
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(f.fault.Status)
	fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>a fault of the test</Message></Error>`, f.fault.Message)
}

var varying = regexp.MustCompile(`[0-9]{8}T[0-9]{6}[^/]*|[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{64}|[0-9a-f]{40}`)

// plainKey is a key without what differs from one request to the next.
func plainKey(key string) string { return varying.ReplaceAllString(key, "…") }

func (f *StoreProxy) State(target string) string {
	f.T.Helper()
	key := target + "/terraform.tfstate"
	if !f.has(key) {
		return ""
	}
	out := Must(f.Server.Client(f.Server.Root()).GetObject(f.T.Context(), &s3.GetObjectInput{Bucket: &f.Bucket, Key: &key}))(f.T)
	defer out.Body.Close()
	return string(Must(io.ReadAll(out.Body))(f.T))
}

func (f *StoreProxy) Locked(target string) bool { return f.has(target + "/terraform.tfstate.tflock") }

func (f *StoreProxy) has(key string) bool {
	f.T.Helper()
	out := Must(f.Server.Client(f.Server.Root()).ListObjectsV2(f.T.Context(), &s3.ListObjectsV2Input{Bucket: &f.Bucket, Prefix: &key}))(f.T)
	for _, object := range out.Contents {
		if *object.Key == key {
			return true
		}
	}
	return false
}
