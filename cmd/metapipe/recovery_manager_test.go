package main

import (
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// TestRecoverLostManager plays the page about a lost manager: another repository takes its
// place, from a clone that lacks one customer's file at first, while a request was open.
func TestRecoverLostManager(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.deployed(variablesYML)
	open := w.accept(w.push("main", map[string]string{"infra/variables.yml": "name: next\nenvironments:\n  staging: {}\n"}))
	open.planned("staging")

	w.manager = must(w.hub.AddRepo("provider", "infra-again", hub.RepoOptions{Private: true}))(t)
	check(t, w.manager.Grant("metapipe-bot", hub.Write))
	check(t, w.manager.Grant("robin", hub.Write))
	check(t, w.manager.AddWorkflow(hub.Workflow{Path: managerWorkflow, Name: "Deploy", Dispatches: []string{pipeline.DispatchEvent}}))
	check(t, w.manager.SetEnvironment("production-apply", hub.EnvironmentRules{Reviewers: []string{"robin"}}))
	clone := map[string]string{}
	for name, text := range managerFiles {
		clone[name] = text
	}
	clone["customers/shop.yml"] = ""
	w.commit(w.manager, "main", clone)
	page := recoveryPage(t, "The manager repository is lost", "NAME", "shop")
	page.run = func(exit int, args ...string) result {
		t.Helper()
		j := w.driftJob()
		if args[0] == "sweep" {
			j.binary = "metapipe-later" // the plan that waited has expired
		}
		return j.do(exit, args...)
	}
	page.run(0, "state", "list").says(t, "NOT REGISTERED shop (staging)")
	w.commit(w.manager, "main", map[string]string{"customers/shop.yml": managerFiles["customers/shop.yml"]})
	page.next(0)
	if list := page.next(0); strings.Contains(list.log, "NOT REGISTERED") || strings.Contains(list.log, "LOST") {
		t.Errorf("states do not fit:\n%s", list.log)
	}
	page.next(0).says(t, "shop/staging: ", "whole; fits 1 deployment and 1 receipt on GitHub")
	page.next(0).says(t, "needed")
	page.next(0).says(t, "shop/staging: pending") // what the open request wanted
	page.next(0).says(t, "repaired")
	page.done()
	w.wantNothingPending()
}
