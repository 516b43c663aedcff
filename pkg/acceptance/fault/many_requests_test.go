package fault

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/store/miniotest"
)

// manyRequests is how many requests come at once.
const manyRequests = 20

// TestCrowd lets 20 requests come at once: for one target, and for 20 targets of 20
// customers, on one machine and with a real S3 server.
func TestCrowd(t *testing.T) {
	t.Parallel()
	server := miniotest.Start(t, miniotest.Options{KMS: true})
	t.Run("one target", func(t *testing.T) { manyOnOne(t, server) })
	t.Run("many targets", func(t *testing.T) { manyOnMany(t, server) })
}

// runners carry requests side by side, each with clocks of its own.
type runners struct {
	w   *fixture.Setup
	all sync.WaitGroup
}

func (c *runners) start(runs ...*fixture.Prepared) {
	for _, p := range runs {
		c.all.Go(func() {
			one := fixture.NewRunner(c.w)
			one.Finish(p)
			if c.w.T.Failed() {
				c.w.T.Log(one.Transcript())
			}
		})
	}
}

// manyOnOne pushes 20 times while the earlier requests are on their way. Each ends,
// the last push wins, and nothing is applied after what is newer.
func manyOnOne(t *testing.T, server *miniotest.Server) {
	t.Parallel()
	w := fixture.New(t, map[string]string{"metapipe.yml": "environments: [{name: staging, branches: [main]}]\nlimits: {lock_timeout: 2m}\n"})
	f := fixture.NewStoreProxy(t, server, w, "one-target")
	c := fixture.NewRunner(w)
	c.OnFailure(t)
	others := runners{w: w}
	var shas []string
	for n := range manyRequests {
		run := w.Push("main", map[string]string{"infra/variables.yml": fmt.Sprintf("name: push-%02d\nenvironments:\n  staging: {}\n", n)})
		exit, requested := c.Ask(run)
		if exit != 0 || len(requested) != 1 {
			t.Fatalf("request %d: exit code %d, %d runs", n, exit, len(requested))
		}
		others.start(requested...)
		shas = append(shas, run.SHA)
	}
	others.all.Wait()
	c.WantNothingLost(f, shas[manyRequests-1], "push-19 in staging")
	w.WantStatus(shas[manyRequests-1], "infra/terraform-deploy/staging", "success: Applied")
	for n, sha := range shas[:manyRequests-1] {
		printed := w.Statuses(sha)["infra/terraform-deploy/staging"]
		if !strings.HasPrefix(printed, "success: Applied") && !strings.Contains(printed, "Superseded") {
			t.Errorf("push %d ended as %q", n, printed)
		}
	}
	wantInTurn(t, c.Ledger("staging"), shas)
	wantOneWriter(f, "shop/staging")
}

// wantOneWriter checks that each version of a state follows the one before it.
func wantOneWriter(f *fixture.StoreProxy, target string) {
	t, key := f.T, target+"/terraform.tfstate"
	t.Helper()
	client := f.Server.Client(f.Server.Root())
	out := fixture.Must(client.ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: &f.Bucket, Prefix: &key}))(t)
	type version struct {
		Lineage string
		Serial  int
	}
	var later version // they are listed newest first
	for _, v := range out.Versions {
		if *v.Key != key {
			continue
		}
		object := fixture.Must(client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &f.Bucket, Key: &key, VersionId: v.VersionId}))(t)
		var now version
		fixture.Check(t, json.NewDecoder(object.Body).Decode(&now))
		fixture.Check(t, object.Body.Close())
		if later != (version{}) && (now.Lineage != later.Lineage || now.Serial >= later.Serial) {
			t.Errorf("%s: version %+v came before %+v", key, now, later)
		}
		later = now
	}
	if later.Serial == 0 {
		t.Errorf("%s has no versions", key)
	}
}

// wantInTurn checks that one apply at a time used the target, and none after one of
// a newer commit.
func wantInTurn(t *testing.T, entries []ledger.Entry, shas []string) {
	t.Helper()
	age := map[string]int{}
	for n, sha := range shas {
		age[sha] = n
	}
	newest := -1
	for _, e := range entries {
		if e.Event != ledger.Applied {
			continue
		}
		if n := age[string(e.Commit)]; n < newest {
			t.Errorf("push %d was applied after push %d:\n%s", n, newest, fixture.Events(entries))
		} else {
			newest = n
		}
	}
	if newest != len(shas)-1 {
		t.Errorf("the last push was not applied last, but push %d", newest)
	}
}

// manyOnMany lets 20 customers push at once: each gets its own, and no one
// another one's.
func manyOnMany(t *testing.T, server *miniotest.Server) {
	t.Parallel()
	files := map[string]string{"customers/shop.yml": ""}
	for n := range manyRequests {
		files[fmt.Sprintf("customers/shop-%02d.yml", n)] = fmt.Sprintf("repository: acme/shop\nrepository_id: 4711\npath: infra/%02d\n", n)
	}
	w := fixture.New(t, files)
	f := fixture.NewStoreProxy(t, server, w, "many-targets")
	c := fixture.NewRunner(w)
	c.OnFailure(t)
	variables := map[string]string{}
	for n := range manyRequests {
		variables[fmt.Sprintf("infra/%02d/variables.yml", n)] = fmt.Sprintf("name: customer-%02d\nenvironments:\n  staging: {}\n", n)
	}
	run := w.Push("main", variables)
	others := runners{w: w}
	for n := range manyRequests {
		c.WhileTriggerSleeps(func() {
			for next, found := c.WaitingRun(); found; next, found = c.WaitingRun() {
				others.start(c.Prepare(next))
			}
		})
		if r := c.Do(c.NewJob(run), "trigger", "--path", fmt.Sprintf("infra/%02d", n), "--customer", fmt.Sprintf("shop-%02d", n)); r.Exit != 0 {
			t.Fatalf("trigger %d: %s", n, r.Log)
		}
	}
	others.all.Wait()
	w.WantNothingPending()
	for n := range manyRequests {
		customer := fmt.Sprintf("shop-%02d", n)
		w.WantStatus(run.SHA, "infra/terraform-deploy/"+customer+"/staging", "success: Applied")
		state := f.State(customer + "/staging")
		if !strings.Contains(state, fmt.Sprintf("customer-%02d in staging", n)) || strings.Count(state, "customer-") != strings.Count(state, fmt.Sprintf("customer-%02d", n)) {
			t.Errorf("the state of %s is another one's:\n%s", customer, state)
		}
		if f.Locked(customer + "/staging") {
			t.Errorf("%s is locked", customer)
		}
	}
	if r := c.Sweep(); !strings.Contains(r.Log, "0 open requests, 0 findings") {
		t.Errorf("the sweep finds:\n%s", r.Log)
	}
}
