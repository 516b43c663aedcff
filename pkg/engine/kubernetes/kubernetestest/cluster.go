// Package kubernetestest starts a Kubernetes API server with its database for tests.
package kubernetestest

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/engine/enginetest"
)

// Cluster is an API server on loopback, without controllers: nothing acts on the objects in
// it. Its users are told apart by tokens, and RBAC says what they may do.
type Cluster struct {
	Server string
	CA     []byte // PEM
	dir    string
	stop   []func()
}

// AdminToken is that of the user who may do everything. The others are user-1 to user-3, whose
// tokens are token-1-of-test and so on.
const AdminToken = "admin-token-of-test"

var (
	mutex   sync.Mutex
	started *Cluster
	failure error
)

// Tools are the programs of a cluster, and kubectl.
var Tools = []string{"etcd", "kube-apiserver", "kubectl"}

// Tool is the path of a program. Without it the test is skipped, unless METAPIPE_REQUIRE_KUBERNETES
// is set.
func Tool(t testing.TB, name string) string {
	t.Helper()
	path, found := enginetest.FindTool(name)
	if found {
		return path
	}
	missing := "kubernetes: there is no " + name + "; run `make tools`"
	if os.Getenv("METAPIPE_REQUIRE_KUBERNETES") != "" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}

func tools(t testing.TB) map[string]string {
	t.Helper()
	paths := map[string]string{}
	for _, name := range Tools {
		paths[name] = Tool(t, name)
	}
	return paths
}

// New starts a cluster for one test.
func New(t testing.TB) *Cluster {
	t.Helper()
	c, err := start(tools(t))
	if err != nil {
		t.Fatalf("start a cluster: %v", err)
	}
	t.Cleanup(c.end)
	return c
}

// Start starts the cluster of this test binary, once. Run ends it.
func Start(t testing.TB) *Cluster {
	t.Helper()
	paths := tools(t)
	mutex.Lock()
	defer mutex.Unlock()
	if started == nil && failure == nil {
		started, failure = start(paths)
	}
	if failure != nil {
		t.Fatalf("start a cluster: %v", failure)
	}
	return started
}

// Run runs the tests of a package and ends the cluster that they have started.
func Run(m *testing.M) int {
	code := m.Run()
	mutex.Lock()
	defer mutex.Unlock()
	if started != nil {
		started.end()
	}
	return code
}

func (c *Cluster) end() {
	for i := len(c.stop) - 1; i >= 0; i-- {
		c.stop[i]()
	}
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, errors.Join(err, l.Close())
}

func start(paths map[string]string) (c *Cluster, err error) {
	c = &Cluster{}
	defer func() {
		if err != nil {
			c.end()
		}
	}()
	if c.dir, err = os.MkdirTemp("", "metapipe-cluster-"); err != nil {
		return c, err
	}
	c.stop = append(c.stop, func() { _ = os.RemoveAll(c.dir) })
	var ports [3]string
	for i := range ports {
		if ports[i], err = freePort(); err != nil {
			return c, err
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return c, err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return c, err
	}
	tokens := AdminToken + `,admin,admin,"system:masters"` + "\n"
	for i := 1; i <= 3; i++ {
		tokens += fmt.Sprintf("token-%d-of-test,user-%d,user-%d,\n", i, i, i)
	}
	for name, content := range map[string]string{"tokens": tokens, "key": string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}))} {
		if err := os.WriteFile(filepath.Join(c.dir, name), []byte(content), 0o600); err != nil {
			return c, err
		}
	}
	client, peer := "http://127.0.0.1:"+ports[0], "http://127.0.0.1:"+ports[1]
	if err := c.run(paths["etcd"], "--data-dir", filepath.Join(c.dir, "etcd"), "--listen-client-urls", client, "--advertise-client-urls", client,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "default="+peer, "--unsafe-no-fsync"); err != nil {
		return c, err
	}
	c.Server = "https://127.0.0.1:" + ports[2]
	if err := c.run(paths["kube-apiserver"], "--etcd-servers="+client, "--secure-port="+ports[2], "--bind-address=127.0.0.1", "--cert-dir="+c.dir,
		"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file="+filepath.Join(c.dir, "key"),
		"--service-account-signing-key-file="+filepath.Join(c.dir, "key"), "--token-auth-file="+filepath.Join(c.dir, "tokens"),
		"--authorization-mode=RBAC", "--disable-admission-plugins=ServiceAccount", "--service-cluster-ip-range=10.96.0.0/16"); err != nil {
		return c, err
	}
	return c, c.await()
}

// run starts a program that ends with this process.
func (c *Cluster) run(path string, args ...string) error {
	log, err := os.Create(filepath.Join(c.dir, filepath.Base(path)+".log"))
	if err != nil {
		return err
	}
	cmd := exec.Command(path, args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = c.dir, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.dir}, log, log
	if err := startChild(cmd); err != nil {
		return errors.Join(err, log.Close())
	}
	c.stop = append(c.stop, func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
		_ = log.Close()
	})
	return nil
}

// await waits until the API server is ready and has the namespace default.
func (c *Cluster) await() error {
	var last error
	for deadline := time.Now().Add(90 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if c.CA == nil {
			content, err := os.ReadFile(filepath.Join(c.dir, "apiserver.crt"))
			if err != nil {
				last = err
				continue
			}
			c.CA = content
		}
		status, _, err := c.call(context.Background(), AdminToken, http.MethodGet, "/readyz", "", nil)
		if err == nil && status == http.StatusOK {
			if status, _, err = c.call(context.Background(), AdminToken, http.MethodGet, "/api/v1/namespaces/default", "", nil); err == nil && status == http.StatusOK {
				return nil
			}
		}
		last = fmt.Errorf("status %d: %w", status, err)
	}
	log, _ := os.ReadFile(filepath.Join(c.dir, "kube-apiserver.log"))
	return fmt.Errorf("the API server is not ready: %w\n%s", last, log[max(0, len(log)-4000):])
}

func (c *Cluster) call(ctx context.Context, token, method, path, contentType string, body []byte) (int, []byte, error) {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(c.CA)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, method, c.Server+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	response, err := (&http.Client{Transport: transport, Timeout: 30 * time.Second}).Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	var content bytes.Buffer
	_, err = content.ReadFrom(response.Body)
	return response.StatusCode, content.Bytes(), err
}

// Kubeconfig is one for the user of a token.
func (c *Cluster) Kubeconfig(token string) string {
	return fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: test
clusters: [{name: test, cluster: {server: %q, certificate-authority-data: %s}}]
users: [{name: test, user: {token: %s}}]
contexts: [{name: test, context: {cluster: test, user: test}}]
`, c.Server, base64.StdEncoding.EncodeToString(c.CA), token)
}

// Do calls the API as the administrator and decodes the answer. body is JSON, of a merge patch
// where the method is PATCH.
func (c *Cluster) Do(t testing.TB, method, path, body string) map[string]any {
	t.Helper()
	status, answer := c.Try(t, method, path, body)
	if status >= 300 {
		t.Fatalf("%s %s: status %d: %v", method, path, status, answer)
	}
	return answer
}

// Try is Do that tells the status.
func (c *Cluster) Try(t testing.TB, method, path, body string) (int, map[string]any) {
	t.Helper()
	status, raw, err := c.Call(context.Background(), method, path, body)
	if err != nil {
		t.Fatal(err)
	}
	var answer map[string]any
	if err := json.Unmarshal(raw, &answer); err != nil {
		t.Fatalf("%s %s: %v\n%s", method, path, err, raw)
	}
	return status, answer
}

// Call is Do for what may fail, and from any goroutine.
func (c *Cluster) Call(ctx context.Context, method, path, body string) (int, []byte, error) {
	contentType := "application/json"
	if method == http.MethodPatch {
		contentType = "application/merge-patch+json"
	}
	return c.call(ctx, AdminToken, method, path, contentType, []byte(body))
}

var names int

// Namespace makes a namespace for one test.
func (c *Cluster) Namespace(t testing.TB, prefix string) string {
	t.Helper()
	mutex.Lock()
	names++
	name := fmt.Sprintf("%s-%d", prefix, names)
	mutex.Unlock()
	c.Do(t, http.MethodPost, "/api/v1/namespaces", fmt.Sprintf(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":%q}}`, name))
	return name
}

// Grant gives the user of a number rights in a namespace; empty: in all. rules is the list of a Role in JSON.
func (c *Cluster) Grant(t testing.TB, user int, namespace, rules string) {
	t.Helper()
	kind, base := "ClusterRole", "/apis/rbac.authorization.k8s.io/v1/"
	if namespace != "" {
		kind, base = "Role", base+"namespaces/"+namespace+"/"
	}
	mutex.Lock()
	names++
	name := fmt.Sprintf("granted-%d", names)
	mutex.Unlock()
	lower := strings.ToLower(kind)
	c.Do(t, http.MethodPost, base+lower+"s", fmt.Sprintf(`{"apiVersion":"rbac.authorization.k8s.io/v1","kind":%q,"metadata":{"name":%q},"rules":%s}`, kind, name, rules))
	c.Do(t, http.MethodPost, base+lower+"bindings", fmt.Sprintf(`{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"%sBinding","metadata":{"name":%q},
		"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":%q,"name":%q},"subjects":[{"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"user-%d"}]}`, kind, name, kind, name, user))
}
