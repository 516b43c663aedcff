package recovery

import (
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// TestRecoverLostManager plays the page about a lost manager: another repository takes its
// place, from a clone that lacks one customer's file at first, while a request was open.
func TestRecoverLostManager(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, nil)
	w.Deployed(fixture.VariablesYML)
	open := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": "name: next\nenvironments:\n  staging: {}\n"}))
	open.Planned("staging")

	w.Manager = fixture.Must(w.Hub.AddRepo("provider", "infra-again", hub.RepoOptions{Private: true}))(t)
	fixture.Check(t, w.Manager.Grant("metapipe-bot", hub.Write))
	fixture.Check(t, w.Manager.Grant("robin", hub.Write))
	fixture.Check(t, w.Manager.AddWorkflow(hub.Workflow{Path: fixture.ManagerWorkflow, Name: "Deploy", Dispatches: []string{pipeline.DispatchEvent}}))
	fixture.Check(t, w.Manager.SetEnvironment("production-apply", hub.EnvironmentRules{Reviewers: []string{"robin"}}))
	clone := map[string]string{}
	for name, text := range fixture.ManagerFiles {
		clone[name] = text
	}
	clone["customers/shop.yml"] = ""
	w.Commit(w.Manager, "main", clone)
	page := fixture.RecoveryPage(t, "The manager repository is lost", "NAME", "shop")
	page.Run = func(exit int, args ...string) fixture.Result {
		t.Helper()
		j := w.DriftJob()
		if args[0] == "sweep" {
			j.Binary = "metapipe-later" // the plan that waited has expired
		}
		return j.Do(exit, args...)
	}
	page.Run(0, "state", "list").Says(t, "NOT REGISTERED shop (staging)")
	w.Commit(w.Manager, "main", map[string]string{"customers/shop.yml": fixture.ManagerFiles["customers/shop.yml"]})
	page.Next(0)
	if list := page.Next(0); strings.Contains(list.Log, "NOT REGISTERED") || strings.Contains(list.Log, "LOST") {
		t.Errorf("states do not fit:\n%s", list.Log)
	}
	page.Next(0).Says(t, "shop/staging: ", "whole; fits 1 deployment and 1 receipt on GitHub")
	page.Next(0).Says(t, "needed")
	page.Next(0).Says(t, "shop/staging: pending") // what the open request wanted
	page.Next(0).Says(t, "repaired")
	page.Done()
	w.WantNothingPending()
}
