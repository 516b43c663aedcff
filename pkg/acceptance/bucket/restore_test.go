package bucket

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
)

const (
	stateKey = "shop/staging/terraform.tfstate"
	damage   = "<html>502</html>"
)

// restoring is an operator who restores the state of shop/staging in a bucket.
type restoring struct {
	fixture.Tenant
	w *fixture.Setup
}

func newRestoring(t *testing.T) restoring {
	t.Helper()
	b := restoring{fixture.NewTenant(t), fixture.New(t, nil)}
	deployedTenant(b.Tenant, b.w)
	return b
}

func (b restoring) put(key, content string) {
	b.T.Helper()
	fixture.Must(b.Server.Client(b.Server.Root()).PutObject(b.T.Context(), &s3.PutObjectInput{Bucket: &b.Bucket.Name, Key: &key, Body: strings.NewReader(content)}))(b.T)
}

func (b restoring) job(vars ...string) *fixture.Job {
	b.T.Helper()
	return b.w.DriftJob().With(b.Root()...).With(vars...)
}

// restore is the command with further arguments.
func (b restoring) restore(args ...string) []string {
	return append([]string{"state", "restore", "--customer", "shop", "--environment", "staging"}, args...)
}

// replaced are the contents that were kept, in the order of their times.
func (b restoring) replaced() []string {
	b.T.Helper()
	keys := b.Keys("shop/staging/replaced/")
	slices.Sort(keys)
	var kept []string
	for _, key := range keys {
		kept = append(kept, string(object(b.Tenant, key)))
	}
	return kept
}

// TestRestoreInABucket restores a damaged state from a version of the bucket, replaces a
// state that can be read by an older version, and goes the printed way back.
func TestRestoreInABucket(t *testing.T) {
	t.Parallel()
	b := newRestoring(t)
	first := object(b.Tenant, stateKey)
	older := b.newestVersion()
	r := requested(b.Tenant, b.w, strings.Replace(fixture.VariablesYML, "name: shop", "name: second", 1))
	for _, command := range []string{"plan", "apply"} {
		b.w.NewJob(r.Run).With(b.Root()...).Do(0, r.Args(command, "staging")...)
	}
	second := object(b.Tenant, stateKey)

	b.put(stateKey, damage)
	b.job().Do(0, "state", "list", "--customer", "shop").Says(t, "LOST shop/staging: the state of shop/staging is damaged")
	b.job().Do(0, b.restore()...).Says(t, "yes", "no: it is damaged", "older one")
	b.job().Do(0, b.restore("--apply")...).Says(t, "what it replaced is kept in s3://provider-states/shop/staging/replaced/")
	if now := object(b.Tenant, stateKey); !sameContent(t, now, second) || !slices.Equal(b.replaced(), []string{damage}) {
		t.Fatalf("the state is\n%s\nkept: %q", now, b.replaced())
	}
	right := object(b.Tenant, stateKey)

	b.job().Do(4, b.restore("--version", older, "--apply")...).Says(t, "has a state")
	done := b.job().Do(0, b.restore("--version", older, "--force", "--apply")...)
	done.Says(t, "it does not fit", "the way back: aws s3 cp s3://provider-states/shop/staging/replaced/")
	if now := object(b.Tenant, stateKey); !sameContent(t, now, first) || !slices.Equal(b.replaced(), []string{damage, string(right)}) {
		t.Fatalf("the state is\n%s\nkept: %q", now, b.replaced())
	}
	b.job().Do(0, "ledger", "--customer", "shop", "--environment", "staging", "--json").Says(t, "forced, does not fit: from version "+older, "what it replaced is kept as shop/staging/replaced/")
	if log := b.job().Do(0, "state", "list", "--customer", "shop").Log; strings.Contains(log, "LOST") {
		t.Errorf("what was restored is lost:\n%s", log)
	}
}

// newestVersion is the version of the bucket that the state has now.
func (b restoring) newestVersion() string {
	b.T.Helper()
	key := stateKey
	head := fixture.Must(b.Server.Client(b.Server.Root()).HeadObject(b.T.Context(), &s3.HeadObjectInput{Bucket: &b.Bucket.Name, Key: &key}))(b.T)
	return *head.VersionId
}

// TestRestoreInABucketDenied denies each write of a restore in its turn: what lay in the
// place of the state is there again, or the restored state is.
func TestRestoreInABucketDenied(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string]bool{"a damaged state": true, "a state": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newRestoring(t)
			whole, version, breaker := object(b.Tenant, stateKey), b.newestVersion(), newBreaker(t, b.Server.Endpoint)
			before := string(whole)
			if broken {
				before = damage
			}
			for writes := range 25 {
				b.put(stateKey, before)
				breaker.after(writes, nil)
				end := b.job("AWS_ENDPOINT_URL_S3=" + breaker.url).Start(b.restore("--version", version, "--force", "--apply")...).Wait()
				now := object(b.Tenant, stateKey)
				restored := now != nil && json.Valid(now) && sameContent(t, now, whole)
				switch {
				case !breaker.broke() && (end.Exit != 0 || !restored):
					t.Fatalf("nothing was denied: exit code %d\n%s\n%s", end.Exit, end.Log, now)
				case !breaker.broke():
					if writes < 5 {
						t.Errorf("a restore has %d writes", writes)
					}
					return
				case end.Exit == 0 && restored && len(b.Keys(".tflock")) > 0: // the tool says so and goes on
				case end.Exit == 0 || string(now) != before && !restored:
					t.Fatalf("after %d writes: exit code %d, and the place of the state holds %q\n%s", writes, end.Exit, now, end.Log)
				}
				for _, kept := range b.replaced() {
					if kept != before {
						t.Fatalf("after %d writes %q is kept", writes, kept)
					}
				}
				b.unlock()
			}
			t.Error("the restore has no end")
		})
	}
}

// unlock removes the lock that the tool could not remove.
func (b restoring) unlock() {
	b.T.Helper()
	for _, key := range b.Keys(".tflock") {
		fixture.Must(b.Server.Client(b.Server.Root()).DeleteObject(b.T.Context(), &s3.DeleteObjectInput{Bucket: &b.Bucket.Name, Key: &key}))(b.T)
	}
}
