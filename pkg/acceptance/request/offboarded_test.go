package request

import (
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
)

// TestOffboardedCustomerPushes: the trigger of an offboarded customer ends with the answer of
// the manager, and does not wait for a request that nothing picks up. It says that the service
// provider has ended the deployments, and nothing of the manager's files.
func TestOffboardedCustomerPushes(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, map[string]string{"customers/shop.yml": fixture.ManagerFiles["customers/shop.yml"] + "offboarded: true\n"})
	run := w.Push("main", map[string]string{"infra/variables.yml": fixture.VariablesYML})
	triggered := w.NewJob(run).Start("trigger", "--wait", "1h")
	queued := w.Queued()
	fetched := w.NewJob(queued).Do(3, "fetch-vars")
	fetched.Want(t, "outcome=rejected", "reason=customer-offboarded", "targets=[]")
	fetched.Says(t, "customer shop is offboarded (customers/shop.yml)", "remove `offboarded` from the file")
	w.NewJob(queued).Do(0, "report", "--customer", "shop", "--request", fetched.Outputs["request-id"], "--final").Want(t, "outcome=failure")
	end := triggered.Wait()
	if end.Exit != 1 {
		t.Errorf("trigger ended with exit code %d:\n%s", end.Exit, end.Log)
	}
	end.Want(t, "outcome=failed")
	end.Says(t, "the service provider has ended the deployments of this repository")
	if strings.Contains(end.Log, "customers/shop.yml") || strings.Contains(end.Log, "docs/ENDING.md") {
		t.Errorf("the customer reads of the manager's files:\n%s", end.Log)
	}
	w.WantStatus(run.SHA, "infra/terraform-deploy", "failure: ")
	w.WantNothingPending()
}
