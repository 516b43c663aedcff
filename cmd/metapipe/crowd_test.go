package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/store/miniotest"
)

// crowd is how many requests come at once.
const crowd = 20

// TestCrowd lets 20 requests come at once: for one target, and for 20 targets of 20
// customers, on one machine and with a real S3 server.
func TestCrowd(t *testing.T) {
	t.Parallel()
	server := miniotest.Start(t, miniotest.Options{KMS: true})
	t.Run("one target", func(t *testing.T) { crowdOnOne(t, server) })
	t.Run("many targets", func(t *testing.T) { crowdOnMany(t, server) })
}

// carriers carry requests side by side, each with clocks of its own.
type carriers struct {
	w   *world
	all sync.WaitGroup
}

func (c *carriers) start(runs ...*prepared) {
	for _, p := range runs {
		c.all.Go(func() {
			one := newCarrier(c.w)
			one.finish(p)
			if c.w.t.Failed() {
				c.w.t.Log(one.log.String())
			}
		})
	}
}

// crowdOnOne pushes 20 times while the earlier requests are on their way. Each ends,
// the last push wins, and nothing is applied after what is newer.
func crowdOnOne(t *testing.T, server *miniotest.Server) {
	t.Parallel()
	w := newWorld(t, map[string]string{"metapipe.yml": "environments: [{name: staging, branches: [main]}]\nlimits: {lock_timeout: 2m}\n"})
	f := newFront(t, server, w, "one-target")
	c := newCarrier(w)
	c.onFailure(t)
	others := carriers{w: w}
	var shas []string
	for n := range crowd {
		run := w.push("main", map[string]string{"infra/variables.yml": fmt.Sprintf("name: push-%02d\nenvironments:\n  staging: {}\n", n)})
		exit, requested := c.ask(run)
		if exit != 0 || len(requested) != 1 {
			t.Fatalf("request %d: exit code %d, %d runs", n, exit, len(requested))
		}
		others.start(requested...)
		shas = append(shas, run.sha)
	}
	others.all.Wait()
	c.wantSettled(f, shas[crowd-1], "push-19 in staging")
	w.wantStatus(shas[crowd-1], "infra/terraform-deploy/staging", "success: Applied")
	for n, sha := range shas[:crowd-1] {
		printed := w.statuses(sha)["infra/terraform-deploy/staging"]
		if !strings.HasPrefix(printed, "success: Applied") && !strings.Contains(printed, "Superseded") {
			t.Errorf("push %d ended as %q", n, printed)
		}
	}
	wantInTurn(t, c.ledger("staging"), shas)
	f.wantOneWriter("shop/staging")
}

// wantOneWriter checks that each version of a state follows the one before it.
func (f *front) wantOneWriter(target string) {
	t, key := f.t, target+"/terraform.tfstate"
	t.Helper()
	client := f.server.Client(f.server.Root())
	out := must(client.ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: &f.bucket, Prefix: &key}))(t)
	type version struct {
		Lineage string
		Serial  int
	}
	var later version // they are listed newest first
	for _, v := range out.Versions {
		if *v.Key != key {
			continue
		}
		object := must(client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &f.bucket, Key: &key, VersionId: v.VersionId}))(t)
		var now version
		check(t, json.NewDecoder(object.Body).Decode(&now))
		check(t, object.Body.Close())
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
			t.Errorf("push %d was applied after push %d:\n%s", n, newest, events(entries))
		} else {
			newest = n
		}
	}
	if newest != len(shas)-1 {
		t.Errorf("the last push was not applied last, but push %d", newest)
	}
}

// crowdOnMany lets 20 customers push at once: each gets its own, and nobody
// another one's.
func crowdOnMany(t *testing.T, server *miniotest.Server) {
	t.Parallel()
	files := map[string]string{"customers/shop.yml": ""}
	for n := range crowd {
		files[fmt.Sprintf("customers/shop-%02d.yml", n)] = fmt.Sprintf("repository: acme/shop\nrepository_id: 4711\npath: infra/%02d\n", n)
	}
	w := newWorld(t, files)
	f := newFront(t, server, w, "many-targets")
	c := newCarrier(w)
	c.onFailure(t)
	variables := map[string]string{}
	for n := range crowd {
		variables[fmt.Sprintf("infra/%02d/variables.yml", n)] = fmt.Sprintf("name: customer-%02d\nenvironments:\n  staging: {}\n", n)
	}
	run := w.push("main", variables)
	others := carriers{w: w}
	for n := range crowd {
		c.customer.asleep = func() {
			for next, found := c.waitingRun(); found; next, found = c.waitingRun() {
				others.start(c.prepare(next))
			}
		}
		if r := c.do(c.newJob(run), "trigger", "--path", fmt.Sprintf("infra/%02d", n), "--customer", fmt.Sprintf("shop-%02d", n)); r.exit != 0 {
			t.Fatalf("trigger %d: %s", n, r.log)
		}
	}
	others.all.Wait()
	w.wantNothingPending()
	for n := range crowd {
		customer := fmt.Sprintf("shop-%02d", n)
		w.wantStatus(run.sha, "infra/terraform-deploy/"+customer+"/staging", "success: Applied")
		state := f.state(customer + "/staging")
		if !strings.Contains(state, fmt.Sprintf("customer-%02d in staging", n)) || strings.Count(state, "customer-") != strings.Count(state, fmt.Sprintf("customer-%02d", n)) {
			t.Errorf("the state of %s is another one's:\n%s", customer, state)
		}
		if f.locked(customer + "/staging") {
			t.Errorf("%s is locked", customer)
		}
	}
	if r := c.sweep(); !strings.Contains(r.log, "0 open requests, 0 findings") {
		t.Errorf("the sweep finds:\n%s", r.log)
	}
}
