package recovery

import (
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/store"
)

// TestRecoverLostIndexes plays the page about lost indexes in a bucket, with the policy of the role that
// runs the command: one request has ended, one waits, and the run of one is gone.
func TestRecoverLostIndexes(t *testing.T) {
	t.Parallel()
	b, w := fixture.NewTenant(t), fixture.New(t, fixture.Impatient)
	ended := b.Accepted(w)
	b.Do(ended, 0, store.RolePlan, ended.Args("plan", "staging")...)
	b.Do(ended, 0, store.RoleApply, ended.Args("apply", "staging")...)
	b.Do(ended, 0, store.RoleReport, "report", "--customer", ended.Customer, "--request", ended.ID, "--final")
	waiting := b.AcceptedFile(w, "# again\n"+strings.Replace(fixture.VariablesYML, "shop", "shops", 1))
	b.Do(waiting, 0, store.RolePlan, waiting.Args("plan", "staging")...).Want(t, "outcome=waiting")

	indexes := func() []string {
		return slices.DeleteFunc(b.Keys(""), func(key string) bool {
			_, is := record.IndexOf(key)
			_, open := record.OpenEntryOf(key)
			return !is && !open
		})
	}
	before := indexes()
	for _, key := range before {
		fixture.Must(b.Server.Client(b.Server.Root()).DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &b.Bucket.Name, Key: &key}))(t)
	}
	page := fixture.RecoveryPage(t, "The indexes are lost")
	page.Run = func(exit int, args ...string) fixture.Result {
		t.Helper()
		credentials := b.As(store.RoleRekey, "*", "*")
		if args[0] == "sweep" {
			credentials = b.Root()
		}
		return w.DriftJob().With(credentials...).Do(exit, args...)
	}
	page.Next(6).Says(t, "missing", "_metapipe/open/shop/", waiting.ID, "0 entries in place")
	if keys := indexes(); len(keys) != 0 {
		t.Errorf("a dry run wrote %v", keys)
	}
	page.Next(0).Says(t, "written", "shop/staging/queue/")
	if keys := indexes(); !slices.Equal(keys, before) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(keys, "\n"), strings.Join(before, "\n"))
	}
	page.Next(0).Says(t, "_metapipe/open/shop/", ended.ID)
	fixture.Check(t, w.Manager.SetRun(ended.Run.Run.ID, "completed", "success"))
	fixture.Check(t, w.Manager.DeleteRun(ended.Run.Run.ID)) // so that the sweep need not wait for what it wrote last
	page.Next(0)
	if keys := b.Keys(ended.ID); !slices.ContainsFunc(keys, func(key string) bool { return strings.HasPrefix(key, "shop/requests/") }) {
		t.Errorf("the record of the request is gone: %v", keys)
	}
	b.Do(waiting, 0, store.RoleApply, waiting.Args("apply", "staging")...).Want(t, "outcome=applied")
	b.Do(waiting, 0, store.RoleReport, "report", "--customer", waiting.Customer, "--request", waiting.ID, "--final").Want(t, "outcome=success")
	page.Next(0)
	page.Done()
	w.WantNothingPending()
}
