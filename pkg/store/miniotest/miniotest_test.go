package miniotest_test

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/store/miniotest"
)

// isChild marks the process that is killed with its server running.
const isChild = "METAPIPE_TEST_MINIO_CHILD"

// TestServerEndsWithTheTest kills a test process: nothing of it runs any more,
// and its server ends all the same.
func TestServerEndsWithTheTest(t *testing.T) {
	t.Parallel()
	child := exec.Command(os.Args[0], "-test.run=^TestChild$", "-test.v")
	child.Env = append(os.Environ(), isChild+"=1", "TMPDIR="+t.TempDir())
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	address := ""
	for lines := bufio.NewScanner(out); address == "" && lines.Scan(); {
		if strings.Contains(lines.Text(), "SKIP") {
			address = "skipped"
		}
		if _, after, ok := strings.Cut(lines.Text(), "listening on http://"); ok {
			address = after
		}
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := child.Wait(); err == nil && address != "skipped" {
		t.Error("the child ended by itself")
	}
	if address == "skipped" {
		t.Skip("there is no minio binary: `make tools` builds it")
	}
	if address == "" {
		t.Fatal("the child started no server")
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		connection, err := net.Dial("tcp", address)
		if err != nil {
			return
		}
		if err := connection.Close(); err != nil {
			t.Error(err)
		}
		if time.Now().After(deadline) {
			t.Fatalf("the server at %s outlives the test", address)
		}
	}
}

// TestChild starts a server and waits to be killed.
func TestChild(t *testing.T) {
	if os.Getenv(isChild) == "" {
		return
	}
	s := miniotest.Start(t, miniotest.Options{})
	t.Logf("listening on %s", s.Endpoint)
	time.Sleep(time.Minute)
}

func TestStopEndsTheServer(t *testing.T) {
	t.Parallel()
	s := miniotest.Start(t, miniotest.Options{Region: "eu-west-1"})
	s.Bucket(t, "bucket", true)
	s.Stop()
	s.Stop()
	if connection, err := net.Dial("tcp", strings.TrimPrefix(s.Endpoint, "http://")); err == nil {
		t.Error("the server still listens", connection.Close())
	}
	s.Restart(t)
	out, err := s.Client(s.Root()).ListBuckets(t.Context(), nil)
	if err != nil || len(out.Buckets) != 1 {
		t.Errorf("after a restart there are %v, %v; want the one bucket", out, err)
	}
}
