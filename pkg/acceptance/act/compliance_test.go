package act

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/store/miniotest"
)

// TestComplianceWorkflow runs the workflow on its schedule, after a sync, and by hand, where it writes new values.
func TestComplianceWorkflow(t *testing.T) {
	t.Parallel()
	server := miniotest.Start(t, miniotest.Options{KMS: true})
	for _, e := range []engine{inAct, inRunner} {
		t.Run("compliance-"+string(e), func(t *testing.T) { // the bucket is called like the test
			t.Parallel()
			complianceInAct(t, e, server)
		})
	}
}

func complianceInAct(t *testing.T, e engine, server *miniotest.Server) {
	w := newSetupIn(t, e, server, map[string]string{"compliance.yml": "organizations: [acme]\nproperties: {team_owner: {required: all, team: true}}\nteam_names: {old-web: web}\nfix: [renamed-team]\n"})
	fixture.Check(t, w.Hub.DefineProperties("acme", hub.PropertyDefinition{Name: "team_owner", Type: hub.TextProperty}))
	fixture.Must(w.Hub.AddUser(hub.User{Login: "ops", Type: hub.Person}))(t)
	fixture.Check(t, w.Hub.AddOwner("acme", "ops"))
	web := fixture.Must(w.Hub.AddTeam("acme", hub.NewTeam{Name: "Web"}))(t)
	fixture.Check(t, w.Customer.Grant("ops", hub.Admin))
	fixture.Check(t, web.Grant(w.Customer, hub.PermissionWrite))
	w.Customer.SetProperties(hub.Properties{"team_owner": "old-web"})
	token := w.Token(hub.Token{Name: "organization", Kind: hub.Classic, User: "ops", Scopes: []string{"repo", "admin:org"}})
	w.amend = func(_ fixture.WorkflowRun, s settings) { s.secrets["ORGANIZATION_PAT"] = token }
	repository := map[string]any{"id": w.Manager.ID(), "full_name": w.Manager.Slug(), "default_branch": "main"}
	want := func(event string, payload map[string]any, inputs map[string]string, success bool, issue string, commands ...string) {
		t.Helper()
		payload["repository"] = repository
		steps, succeeded := w.manages("property-compliance.yml", event, payload, inputs)
		var got []string
		for _, s := range steps {
			got = append(got, strings.Join(s.args, " ")+" → "+s.exit)
		}
		if succeeded != success || len(got) != len(commands) {
			t.Fatalf("%s: succeeded %v, %q", event, succeeded, got)
		}
		for i, command := range commands {
			if !strings.Contains(got[i], command) {
				t.Errorf("%s: %q, want %q\n%s", event, got[i], command, steps[i].said)
			}
		}
		var states []string
		for _, i := range w.Manager.Snapshot().Issues {
			states = append(states, i.State)
		}
		if !slices.Equal(states, strings.Fields(issue)) {
			t.Errorf("%s: issues %q, want %q", event, states, issue)
		}
	}
	want("workflow_dispatch", map[string]any{"inputs": map[string]string{"test_mode": "5", "severity_filter": "high"}}, map[string]string{"remediate": "false", "test_mode": "5", "severity_filter": "high"}, false, "",
		"compliance --fail-on critical --severity high --limit 5 → 6")
	want("schedule", map[string]any{"schedule": "37 */6 * * *"}, nil, false, "open", "compliance --fail-on critical --issue → 6")
	want("workflow_dispatch", map[string]any{"inputs": map[string]string{"remediate": "true"}}, map[string]string{"remediate": "true"}, true, "closed",
		"--remediate --apply --undo", "compliance --fail-on critical --issue → 0")
	if got := fmt.Sprint(w.Customer.Properties()["team_owner"]); got != "web" {
		t.Errorf("the team is %s", got)
	}
	want("workflow_run", map[string]any{"action": "completed", "workflow_run": map[string]any{"name": "External sync"}}, nil, true, "closed", "compliance --fail-on critical --issue → 0")
	if keys := w.states.Keys("_metapipe/compliance/history/"); len(keys) != 3 {
		t.Errorf("%q", keys)
	}
}
