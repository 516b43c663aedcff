package act

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
)

// cancelled cancels the manager's run while a plan goes on: the reports still run, and the last one
// closes the request as cancelled.
func cancelled(t *testing.T, w *actSetup) {
	arrived, released := make(chan struct{}), make(chan struct{})
	var once sync.Once
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		once.Do(func() { close(arrived) })
		<-released
	}))
	t.Cleanup(slow.Close)
	run := w.Push("main", map[string]string{"infra/variables.yml": "name: shop\nslow: " + slow.URL + "\nenvironments:\n  staging: {}\n"})
	requested := w.trigger(run, nil)
	a := w.answer(w.dispatched(requested), nil)
	select {
	case <-arrived:
	case <-time.After(2 * time.Minute):
		t.Error("no plan has begun")
	}
	a.now.stop()
	time.AfterFunc(time.Second, func() { close(released) })
	j := a.end().with(requested)
	w.wantEnds(j, false, false)
	j.wantSteps(t, "fetch-vars", "report", "plan staging", "report", "report --final")
	if last := j.answered[len(j.answered)-1]; !slices.Contains(last.args, "--cancelled=true") {
		t.Errorf("the last report has no --cancelled=true: %q", last.args)
	}
	w.WantStatus(run.SHA, "infra/terraform-deploy/staging", "failure: ")
	w.WantNothingPending()
	w.states.WantNone("terraform.tfstate", "a cancelled plan")
	w.wantLater(map[string]string{"infra/variables.yml": fixture.VariablesYML})
}

// wantLater pushes again: what was cancelled has left nothing that stands in the way.
func (w *actSetup) wantLater(files map[string]string) {
	w.T.Helper()
	run := w.Push("main", files)
	w.wantEnds(w.through(run, nil), true, true)
	w.WantStatus(run.SHA, "infra/terraform-deploy/staging", "success: Applied")
}
