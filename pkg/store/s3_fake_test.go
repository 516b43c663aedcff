package store_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// The one identity and place that the fake knows.
const (
	fakeRegion = "eu-central-1"
	fakeKey    = "AKIAEXAMPLE"
	fakeSecret = "example-secret"
	fakeToken  = "example-session"
	fakeBucket = "tf-state"
)

// fakeS3 is an S3 in this process. gofakes3 keeps the objects; what it does not
// care about, and S3 does, is done here: signatures, checksums, and conditions
// on multipart uploads.
type fakeS3 struct {
	url     string
	backend *s3mem.Backend
	next    http.Handler
	// before may answer a request itself, and then returns true. It is set before
	// the first request.
	before func(w http.ResponseWriter, r *http.Request, body []byte) bool

	mutex    sync.Mutex
	writing  map[string]bool           // keys with a conditional write on its way
	sums     map[string]string         // checksum of each object
	parts    map[string]map[int][]byte // of each upload, by number
	requests []string                  // method, path and query, in order
}

func newFakeS3(t *testing.T, versioned bool) *fakeS3 {
	t.Helper()
	backend := s3mem.New()
	f := &fakeS3{
		backend: backend, next: gofakes3.New(backend, gofakes3.WithTimeSkewLimit(0)).Server(),
		writing: map[string]bool{}, sums: map[string]string{}, parts: map[string]map[int][]byte{},
	}
	if err := backend.CreateBucket(fakeBucket); err != nil {
		t.Fatal(err)
	}
	if versioned {
		config := gofakes3.VersioningConfiguration{Status: gofakes3.VersioningEnabled}
		if err := backend.SetVersioningConfiguration(fakeBucket, config); err != nil {
			t.Fatal(err)
		}
	}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	f.url = server.URL
	return f
}

func (f *fakeS3) environ() map[string]string {
	return map[string]string{
		"AWS_ENDPOINT_URL_S3": f.url, "AWS_REGION": fakeRegion, "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_ACCESS_KEY_ID": fakeKey, "AWS_SECRET_ACCESS_KEY": fakeSecret, "AWS_SESSION_TOKEN": fakeToken,
	}
}

// refusal is an error answer of S3.
type refusal struct {
	status        int
	code, message string
}

func (e refusal) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("X-Amz-Request-Id", "REQUEST1")
	w.WriteHeader(e.status)
	var message bytes.Buffer
	if err := xml.EscapeText(&message, []byte(e.message)); err != nil {
		panic(err) // memory does not fail
	}
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s</Message></Error>", e.code, &message)
}

func (f *fakeS3) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the sender has gone
	}
	f.mutex.Lock()
	f.requests = append(f.requests, r.Method+" "+r.URL.RequestURI())
	f.mutex.Unlock()
	for _, check := range []func(*http.Request, []byte) *refusal{checkSignature, checkSums} {
		if refused := check(r, body); refused != nil {
			refused.write(w)
			return
		}
	}
	if f.before != nil && f.before(w, r, body) {
		return
	}
	f.serve(w, r, body)
}

func (f *fakeS3) serve(w http.ResponseWriter, r *http.Request, body []byte) {
	r.Body = io.NopCloser(bytes.NewReader(body))
	query := r.URL.Query()
	id := query.Get("uploadId")
	switch {
	case r.Method == http.MethodPut && id != "":
		f.put(w, r, body, id, query.Get("partNumber"))
	case r.Method == http.MethodPut, r.Method == http.MethodPost && id != "":
		f.conditional(w, r, body, id)
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		f.get(w, r)
	default:
		f.next.ServeHTTP(w, r)
	}
}

// checkSignature signs the request again and compares.
func checkSignature(r *http.Request, _ []byte) *refusal {
	header := r.Header.Get("Authorization")
	fields := map[string]string{}
	for field := range strings.SplitSeq(strings.TrimPrefix(header, "AWS4-HMAC-SHA256 "), ", ") {
		name, value, _ := strings.Cut(field, "=")
		fields[name] = value
	}
	scope := strings.Split(fields["Credential"], "/")
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	switch {
	case len(scope) != 5 || err != nil:
		return &refusal{http.StatusForbidden, "AccessDenied", "Access Denied"}
	case scope[0] != fakeKey:
		return &refusal{http.StatusForbidden, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."}
	case scope[2] != fakeRegion:
		return &refusal{http.StatusBadRequest, "AuthorizationHeaderMalformed", "The authorization header is malformed; the region '" + scope[2] + "' is wrong; expecting '" + fakeRegion + "'"}
	case r.Header.Get("X-Amz-Security-Token") != fakeToken:
		return &refusal{http.StatusBadRequest, "ExpiredToken", "The provided token has expired."}
	}
	again := &http.Request{Method: r.Method, URL: &url.URL{Scheme: "http", Host: r.Host, Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery}, Host: r.Host, Header: http.Header{}}
	for name := range strings.SplitSeq(fields["SignedHeaders"], ";") {
		if values := r.Header.Values(name); len(values) > 0 {
			again.Header[http.CanonicalHeaderKey(name)] = slices.Clone(values)
		}
		if name == "content-length" {
			again.ContentLength = r.ContentLength
		}
	}
	credentials := aws.Credentials{AccessKeyID: fakeKey, SecretAccessKey: fakeSecret, SessionToken: fakeToken}
	err = v4.NewSigner().SignHTTP(r.Context(), credentials, again, r.Header.Get("X-Amz-Content-Sha256"), "s3", scope[2], at, func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	if err != nil || again.Header.Get("Authorization") != header {
		return &refusal{http.StatusForbidden, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided."}
	}
	return nil
}

// checkSums refuses what was damaged on the way; a write without a checksum is
// refused too, since ours has always one.
func checkSums(r *http.Request, body []byte) *refusal {
	sum := sha256.Sum256(body)
	if r.Header.Get("X-Amz-Content-Sha256") != hex.EncodeToString(sum[:]) {
		return &refusal{http.StatusBadRequest, "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed."}
	}
	if r.Method == http.MethodPut && r.Header.Get("X-Amz-Checksum-Crc32") != crc(body) {
		return &refusal{http.StatusBadRequest, "BadDigest", "The CRC32 you specified did not match the calculated checksum."}
	}
	return nil
}

func crc(b []byte) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(b)))
}

func (f *fakeS3) put(w http.ResponseWriter, r *http.Request, body []byte, id, part string) {
	number, err := strconv.Atoi(part)
	if err != nil {
		refusal{http.StatusBadRequest, "InvalidArgument", "partNumber"}.write(w)
		return
	}
	f.mutex.Lock()
	if f.parts[id] == nil {
		f.parts[id] = map[int][]byte{}
	}
	f.parts[id][number] = body
	f.mutex.Unlock()
	f.next.ServeHTTP(w, r)
}

// conditional writes an object unless there is one. Of two writes at once, the
// second is told to try again.
func (f *fakeS3) conditional(w http.ResponseWriter, r *http.Request, body []byte, id string) {
	if r.Header.Get("If-None-Match") != "*" {
		refusal{http.StatusForbidden, "AccessDenied", "this bucket takes conditional writes only"}.write(w)
		return
	}
	sum := r.Header.Get("X-Amz-Checksum-Crc32")
	f.mutex.Lock()
	busy := f.writing[r.URL.Path]
	f.writing[r.URL.Path] = true
	var content []byte
	for number := 1; number <= len(f.parts[id]); number++ {
		content = append(content, f.parts[id][number]...)
	}
	f.mutex.Unlock()
	if busy {
		refusal{http.StatusConflict, "ConditionalRequestConflict", "A conflicting conditional operation is in progress."}.write(w)
		return
	}
	defer func() {
		f.mutex.Lock()
		defer f.mutex.Unlock()
		delete(f.writing, r.URL.Path)
	}()
	switch {
	case f.exists(r.URL.Path):
		refusal{http.StatusPreconditionFailed, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold"}.write(w)
		return
	case id != "" && (sum != crc(content) || r.Header.Get("X-Amz-Checksum-Type") != "FULL_OBJECT"):
		refusal{http.StatusBadRequest, "BadDigest", "The full object CRC32 did not match."}.write(w)
		return
	}
	answer := httptest.NewRecorder()
	r.Body = io.NopCloser(bytes.NewReader(body))
	f.next.ServeHTTP(answer, r)
	if answer.Code == http.StatusOK {
		f.mutex.Lock()
		f.sums[r.URL.Path] = sum
		f.mutex.Unlock()
	}
	copyAnswer(w, answer)
}

func copyAnswer(w http.ResponseWriter, answer *httptest.ResponseRecorder) {
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes()) // to a sender who may have gone
}

func (f *fakeS3) exists(path string) bool {
	bucket, key, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	object, err := f.backend.HeadObject(bucket, key)
	return err == nil && !object.IsDeleteMarker
}

func (f *fakeS3) get(w http.ResponseWriter, r *http.Request) {
	f.mutex.Lock()
	sum := f.sums[r.URL.Path]
	f.mutex.Unlock()
	if sum != "" && r.Header.Get("X-Amz-Checksum-Mode") == "ENABLED" && f.exists(r.URL.Path) {
		w.Header().Set("X-Amz-Checksum-Crc32", sum)
		w.Header().Set("X-Amz-Checksum-Type", "FULL_OBJECT")
	}
	f.next.ServeHTTP(w, r)
}

// seen counts the requests that begin with prefix.
func (f *fakeS3) seen(prefix string) (n int) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	for _, request := range f.requests {
		if strings.HasPrefix(request, prefix) {
			n++
		}
	}
	return n
}
