// Package miniotest runs a MinIO server for one test: a real S3 with policies,
// keys and versions, on loopback.
package miniotest

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// KMSKey is the name of the key that servers with Options.KMS encrypt with.
const KMSKey = "metapipe-key"

// Options are what a server may have beyond buckets and users.
type Options struct {
	Region string // what the server insists on; empty for us-east-1
	KMS    bool   // encrypts, also by SSE-KMS under KMSKey
	OpenID *OpenID
	Dir    string   // where it stores; empty for a new one
	Env    []string // more MINIO_… variables, as NAME=value
}

// OpenID lets bearers of tokens take a role with AssumeRoleWithWebIdentity. Any
// role name does, since what it may do is in the token: PolicyClaim names
// policies of the server, of which "readwrite", "readonly" and "writeonly" are
// built in. With Policy, every token has that one instead.
type OpenID struct {
	ConfigURL   string // of /.well-known/openid-configuration; http is accepted
	ClientID    string // the audience
	PolicyClaim string // default "policy"
	Policy      string // policies of a role; its ARN is Server.RoleARN
}

// Server is a running server. The credentials are its root's, and random.
type Server struct {
	Endpoint  string // http://127.0.0.1:PORT
	Region    string
	AccessKey string
	SecretKey string
	RoleARN   string // with OpenID.Policy
	Dir       string // what it stores
	Log       string // the file of what it says

	process *process
	command []string
	environ []string
}

// startTries bounds the starts, since another process can take the port between
// choosing it and listening.
const startTries = 3

// Start runs a server until t ends, and also ends it when the test process is
// killed. Without a minio binary, in PATH or among the tools in the cache, t is
// skipped.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	binary := find()
	if binary == "" {
		t.Skip("there is no minio binary: `make tools` builds it")
	}
	var err error
	for range startTries {
		var s *Server
		if s, err = start(t, binary, o); err == nil {
			return s
		}
	}
	t.Fatal(err)
	return nil
}

// find returns the binary in PATH, else the newest that .ci/tools/ensure built.
func find() string {
	if path := inPath("minio"); path != "" {
		return path
	}
	cache := os.Getenv("XDG_CACHE_HOME")
	if !filepath.IsAbs(cache) {
		var err error
		if cache, err = os.UserCacheDir(); err != nil {
			return ""
		}
	}
	found, err := filepath.Glob(filepath.Join(cache, "metapipe", "tools", "minio-*", "minio"))
	if err != nil || len(found) == 0 {
		return ""
	}
	return found[len(found)-1] // the versions are dates
}

func start(t testing.TB, binary string, o Options) (*Server, error) {
	t.Helper()
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	home := t.TempDir()
	s := &Server{
		Endpoint: "http://" + address, Region: o.Region, AccessKey: "root-" + rand.Text()[:8], SecretKey: rand.Text(),
		Dir: filepath.Join(home, "data"), Log: filepath.Join(home, "minio.log"),
	}
	if s.Region == "" {
		s.Region = "us-east-1"
	}
	if o.Dir != "" {
		s.Dir = o.Dir
	}
	s.command, s.environ = []string{binary, "server", "--address", address, s.Dir}, s.surroundings(home, o)
	if err := s.launch(t); err != nil {
		return nil, err
	}
	if o.OpenID != nil && o.OpenID.Policy != "" {
		s.RoleARN, err = s.findRole()
	}
	return s, err
}

func (s *Server) launch(t testing.TB) (err error) {
	if s.process, err = launch(s.Log, s.environ, s.command...); err != nil {
		return err
	}
	t.Cleanup(s.Stop)
	if err := s.ready(t.Context()); err != nil {
		s.Stop()
		log, readErr := os.ReadFile(s.Log)
		return errors.Join(fmt.Errorf("minio did not get ready: %w\n%s", err, log), readErr)
	}
	return nil
}

// Restart starts a stopped server again, at its address and with what it stores.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	if err := s.launch(t); err != nil {
		t.Fatal(err)
	}
}

// surroundings are all that the server sees of them.
func (s *Server) surroundings(home string, o Options) []string {
	env := []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + home,
		"MINIO_ROOT_USER=" + s.AccessKey, "MINIO_ROOT_PASSWORD=" + s.SecretKey,
		"MINIO_SITE_REGION=" + s.Region,
		"MINIO_BROWSER=off", "MINIO_UPDATE=off", "MINIO_CALLHOME_ENABLE=off",
		"MINIO_SCANNER_SPEED=slowest", // no one looks at its statistics
	}
	if o.KMS {
		var key [32]byte
		rand.Read(key[:])
		env = append(env, "MINIO_KMS_SECRET_KEY="+KMSKey+":"+base64.StdEncoding.EncodeToString(key[:]))
	}
	if id := o.OpenID; id != nil {
		env = append(env, "MINIO_IDENTITY_OPENID_CONFIG_URL="+id.ConfigURL, "MINIO_IDENTITY_OPENID_CLIENT_ID="+id.ClientID,
			// Asked for, and of no use for tokens that are not asked for here.
			"MINIO_IDENTITY_OPENID_CLIENT_SECRET=none")
		switch {
		case id.Policy != "":
			env = append(env, "MINIO_IDENTITY_OPENID_ROLE_POLICY="+id.Policy)
		case id.PolicyClaim != "":
			env = append(env, "MINIO_IDENTITY_OPENID_CLAIM_NAME="+id.PolicyClaim)
		}
	}
	return append(env, o.Env...)
}

func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

// ready waits until the server answers, and is ours: another one would refuse
// these credentials.
func (s *Server) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 60*time.Second)
	defer cancel()
	for {
		err := s.probe(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-s.process.ended:
			return errors.New("it ended")
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (s *Server) probe(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Endpoint+"/minio/health/ready", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers %s", response.Status)
	}
	_, err = s.Client(s.Root()).ListBuckets(ctx, nil)
	return err
}

// Stop ends the server at once, as a crash would, and waits until it does not
// listen any more. More calls do nothing.
func (s *Server) Stop() {
	s.process.stop()
	// The guard can be gone a moment before the server is.
	for range 100 {
		connection, err := net.Dial("tcp", strings.TrimPrefix(s.Endpoint, "http://"))
		if err != nil {
			return
		}
		if connection.Close() != nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}
