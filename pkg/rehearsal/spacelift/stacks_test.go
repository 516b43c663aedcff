package spacelift_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/rehearsal/spacelift"
)

const updateQuery = `mutation($id: ID!, $input: StackInput!){ stackUpdate(id: $id, input: $input){ id } }`

// TestSlugs: the id of a stack is its own or comes from its name, is taken once, and stays.
func TestSlugs(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, c := range []struct {
		name string
		slug any
		want string
	}{
		{"Shop (production)", nil, "shop-production"},
		{"  Ümläut & Co. ", nil, "ml-ut-co"},
		{"Shop (production)", "mp-shop-production-main", "mp-shop-production-main"},
		{strings.Repeat("n", 120), nil, strings.Repeat("n", 100)},
	} {
		data := f.do(createQuery, vars{"input": stackInput(c.name, nil), "manageState": false, "slug": c.slug})
		equal(t, c.name, at(data, "stackCreate", "id"), c.want)
	}
	for slug, want := range map[string]string{
		"shop-production": "could not persist stack: stack with this slug already exists for this account",
		"Shop":            "invalid slug", "a/b": "invalid slug", strings.Repeat("n", 101): "invalid slug",
	} {
		f.refused(want, createQuery, vars{"input": stackInput("x", nil), "manageState": false, "slug": slug})
	}
	f.do(updateQuery, vars{"id": "shop-production", "input": stackInput("Another name", nil)})
	equal(t, "after a rename", f.stack("shop-production").Name, "Another name")
	f.refused("stack not found", updateQuery, vars{"id": "none", "input": stackInput("x", nil)})
}

// TestUpdateResets: an update sets all that an input can say, and keeps the rest.
func TestUpdateResets(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.create("a", vars{
		"description": "D", "labels": []string{"x", "y"}, "projectRoot": "terraform", "workerPool": "pool", "runnerImage": "image", "autodeploy": true,
		"beforeInit": []string{"cp a b"}, "provider": "GITHUB_ENTERPRISE", "vcsIntegrationId": "ghe", "additionalProjectGlobs": []string{"m/**"},
	})
	f.do(on("stackDisable"), vars{"id": "a"})
	f.config("a", "A", "1", false)
	before := f.stack("a")
	equal(t, "before", []any{before.Description, before.Labels, before.ProjectRoot, before.WorkerPool, before.RunnerImage, before.Autodeploy, before.Hooks["beforeInit"], before.Provider, before.Integration, before.AdditionalProjectGlobs},
		[]any{"D", []string{"x", "y"}, "terraform", "pool", "image", true, []string{"cp a b"}, "GITHUB_ENTERPRISE", "ghe", []string{"m/**"}})
	f.do(updateQuery, vars{"id": "a", "input": stackInput("a", vars{"vendorConfig": vars{"ansible": vars{"playbook": "site.yml"}}})})
	after := f.stack("a")
	equal(t, "after", []any{after.Description, after.Labels, after.ProjectRoot, after.WorkerPool, after.RunnerImage, after.Autodeploy, after.Hooks["beforeInit"], after.Provider, after.Integration, after.AdditionalProjectGlobs},
		[]any{"", []string{}, "", "", "", false, []string{}, "GITHUB", "", []string{}})
	equal(t, "what stays", []any{after.ID, after.Disabled, len(after.Config), after.Created}, []any{"a", true, 1, f.now})
	equal(t, "answer", f.do(`{ stack(id: "a"){ labels description projectRoot workerPool { id } isDisabled beforeInit vendorConfig { ... on StackConfigVendorAnsible { playbook } } } }`, nil), vars{"stack": vars{
		"labels": []string{}, "description": nil, "projectRoot": nil, "workerPool": nil, "isDisabled": true, "beforeInit": []string{}, "vendorConfig": vars{"playbook": "site.yml"},
	}})
}

// TestInputErrors: what is wrong with an input is said, and nothing changes.
func TestInputErrors(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for want, changes := range map[string]vars{
		"name: cannot be blank":                        {"name": " "},
		"branch: cannot be blank":                      {"branch": ""},
		"repository: cannot be blank":                  {"repository": ""},
		"project root: must be a path":                 {"projectRoot": "../x"},
		"worker pool: not found":                       {"workerPool": "none"},
		"vcs integration: not found":                   {"vcsIntegrationId": "none"},
		"vcs integration: it is of another provider":   {"vcsIntegrationId": "ghe"},
		"exactly one vendor must be set, got 0":        {"vendorConfig": vars{}},
		"exactly one vendor must be set, got 2":        {"vendorConfig": vars{"terraform": vars{}, "ansible": vars{"playbook": "x"}}},
		`terraform: could not parse version range "la`: {"vendorConfig": vars{"terraform": vars{"version": "latest"}}},
		"stack has 2 errors: ":                         {"repository": "a/b", "name": ""},
		"stack has 1 error: terraform: specifying version for custom tool workflow is not possible": {
			"vendorConfig": vars{"terraform": vars{"version": "1.5.7", "workflowTool": "CUSTOM"}}},
		"unauthorized": {"space": "none"},
	} {
		f.refused(want, createQuery, vars{"input": stackInput("a", changes), "manageState": false})
	}
	equal(t, "stacks", f.server.Stacks(), []string{})
	f.create("plain", vars{"vendorConfig": nil, "space": nil})
	st := f.stack("plain")
	equal(t, "defaults", []string{st.Space, st.Vendor.Kind, st.Provider}, []string{"root", "terraform", "GITHUB"})
	f.server.AddDefaultIntegration("github", "GitHub", "GITHUB")
	equal(t, "integration", at(f.do(`{ stack(id: "plain"){ vcsIntegration { id isDefault provider } } }`, nil), "stack", "vcsIntegration"),
		vars{"id": "github", "isDefault": true, "provider": "GITHUB"})
	f.create("enterprise", vars{"provider": "GITHUB_ENTERPRISE", "vcsIntegrationId": "ghe"})
	equal(t, "another one", at(f.do(`{ stack(id: "enterprise"){ vcsIntegration { id isDefault } } }`, nil), "stack", "vcsIntegration"), vars{"id": "ghe", "isDefault": false})
	f.server.AddSpace("legacy", "Legacy", "")
	f.create("old", vars{"space": nil, "vendorConfig": vars{"opentofu": vars{"version": ">= 1.6.0 <1.9.x || 2"}}})
	equal(t, "space", f.stack("old").Space, "legacy")
	equal(t, "tool", at(f.do(`{ stack(id: "old"){ vendorConfig { __typename ... on StackConfigVendorOpenTofu { workflowTool version } } } }`, nil), "stack", "vendorConfig"),
		vars{"__typename": "StackConfigVendorOpenTofu", "workflowTool": "OPENTOFU", "version": ">= 1.6.0 <1.9.x || 2"})
}

const configQuery = `mutation($stack: ID!, $config: ConfigInput!){ stackConfigAdd(stack: $stack, config: $config){ id checksum value writeOnly } }`

// config adds a variable.
func (f *fixture) config(stack, id, value string, writeOnly bool) {
	f.t.Helper()
	f.do(configQuery, vars{"stack": stack, "config": vars{"id": id, "type": "ENVIRONMENT_VARIABLE", "value": value, "writeOnly": writeOnly}})
}

// TestConfig: elements are stored with a checksum, a write-only one is never shown, and an
// id that is there is overwritten, or refused where that is asked for.
func TestConfig(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.create("a", nil)
	sum := func(text string) string {
		raw := sha256.Sum256([]byte(text))
		return hex.EncodeToString(raw[:])
	}
	file := base64.StdEncoding.EncodeToString([]byte("a: 1\n"))
	for _, e := range []vars{
		{"id": "TF_VAR_token", "type": "ENVIRONMENT_VARIABLE", "value": "secret", "writeOnly": true},
		{"id": "TF_VAR_size", "type": "ENVIRONMENT_VARIABLE", "value": "1", "writeOnly": false, "description": "Size"},
		{"id": "TF_VAR_size", "type": "ENVIRONMENT_VARIABLE", "value": "2", "writeOnly": false},
		{"id": "source/terraform/source-variables.yml", "type": "FILE_MOUNT", "value": file, "writeOnly": false},
	} {
		f.do(configQuery, vars{"stack": "a", "config": e})
	}
	data := f.do(`{ stack(id: "a"){ config { id type value checksum writeOnly description } configElement(id: "TF_VAR_token"){ value checksum } none: configElement(id: "x"){ id } } }`, nil)
	equal(t, "answer", at(data, "stack"), vars{
		"config": []vars{
			{"id": "TF_VAR_size", "type": "ENVIRONMENT_VARIABLE", "value": "2", "checksum": sum("2"), "writeOnly": false, "description": ""},
			{"id": "TF_VAR_token", "type": "ENVIRONMENT_VARIABLE", "value": nil, "checksum": sum("secret"), "writeOnly": true, "description": ""},
			{"id": "source/terraform/source-variables.yml", "type": "FILE_MOUNT", "value": file, "checksum": sum(file), "writeOnly": false, "description": ""},
		},
		"configElement": vars{"value": nil, "checksum": sum("secret")}, "none": nil,
	})
	equal(t, "the value for tests", f.stack("a").Config[1].Value, "secret")
	for want, e := range map[string]vars{
		"base64-encoded":                  {"id": "source/x", "type": "FILE_MOUNT", "value": "a: 1\n", "writeOnly": false},
		"no path below":                   {"id": "../x", "type": "FILE_MOUNT", "value": file, "writeOnly": false},
		"no name of an environment":       {"id": "A-B", "type": "ENVIRONMENT_VARIABLE", "value": "", "writeOnly": false},
		"variable.config.writeOnly must ": {"id": "A", "type": "ENVIRONMENT_VARIABLE", "value": ""},
	} {
		f.refused(want, configQuery, vars{"stack": "a", "config": e})
	}
	remove := `mutation($id: ID!){ stackConfigDelete(stack: "a", id: $id){ id } }`
	f.do(remove, vars{"id": "TF_VAR_size"})
	f.refused("config element not found", remove, vars{"id": "TF_VAR_size"})
	f.server.RefuseConfigOverwrite = true
	f.refused("already exists", configQuery, vars{"stack": "a", "config": vars{"id": "TF_VAR_token", "type": "ENVIRONMENT_VARIABLE", "value": "x", "writeOnly": true}})
	equal(t, "the value that stays", f.stack("a").Config[0].Value, "secret")
	good(t, f.server.EditConfig("a", "TF_VAR_token", "by hand"))
	equal(t, "a value by hand", f.stack("a").Config[0], spacelift.ConfigElement{ID: "TF_VAR_token", Type: "ENVIRONMENT_VARIABLE", Value: "by hand", Checksum: sum("by hand"), WriteOnly: true, Created: f.now})
}

// TestPolicies: a policy is attached once, by hand or by a label, and detached by the id of
// the attachment.
func TestPolicies(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.server.AddPolicy("auto", "Auto", "PLAN", "root", "autoattach:managed", "autoattach:other")
	f.create("a", vars{"labels": []string{"managed"}})
	f.create("b", nil)
	attach := `mutation($id: ID!, $stack: ID!){ policyAttach(id: $id, stack: $stack){ id stackId isAutoattached } }`
	data := f.do(attach, vars{"id": "require-approval", "stack": "a"})
	id := at(data, "policyAttach", "id")
	equal(t, "stack", at(data, "policyAttach", "stackId"), "a")
	read := `{ stack(id: "a"){ attachedPolicies { policyId policyType isAutoattached } } policy(id: "require-approval"){ a: attachedStack(id: "a"){ id } b: attachedStack(id: "b"){ id } } auto: policy(id: "auto"){ attachedStack(id: "a"){ isAutoattached } attachedStacks { stackId } } }`
	equal(t, "read", f.do(read, nil), vars{
		"stack": vars{"attachedPolicies": []vars{
			{"policyId": "require-approval", "policyType": "APPROVAL", "isAutoattached": false}, {"policyId": "auto", "policyType": "PLAN", "isAutoattached": true},
		}},
		"policy": vars{"a": vars{"id": id}, "b": nil},
		"auto":   vars{"attachedStack": vars{"isAutoattached": true}, "attachedStacks": []vars{{"stackId": "a"}}},
	})
	f.refused("already attached", attach, vars{"id": "require-approval", "stack": "a"})
	f.refused("already attached", attach, vars{"id": "auto", "stack": "a"})
	f.refused("policy not found", attach, vars{"id": "none", "stack": "a"})
	f.refused("stack not found", attach, vars{"id": "require-approval", "stack": "none"})
	f.refused("stack a space has no access to policy space", attach, vars{"id": "bank-only", "stack": "a"})
	f.do(on("policyDetach"), vars{"id": id})
	f.refused("policy attachment not found", on("policyDetach"), vars{"id": id})
	f.refused("policy attachment not found", on("policyDetach"), vars{"id": "auto-auto-a"})
	equal(t, "what stays", f.stack("a").Policies, []spacelift.Attachment{{ID: "auto-auto-a", Of: "auto", Auto: true}})
	f.do(updateQuery, vars{"id": "a", "input": stackInput("a", nil)})
	equal(t, "without the label", len(f.stack("a").Policies), 0)
	create := `mutation{ policyCreatev2(input: {name: "Plan rules", body: "package spacelift", type: PLAN, space: "root"}){ id } }`
	equal(t, "created", at(f.do(create, nil), "policyCreatev2", "id"), "plan-rules")
	f.refused("could not persist policy: policy with this slug already exists for this account", create, nil)
	f.do(attach, vars{"id": "plan-rules", "stack": "b"})
	f.do(on("policyDelete"), vars{"id": "plan-rules"})
	equal(t, "of a policy that is gone", len(f.stack("b").Policies), 0)
}

// TestContexts: as policies, with a priority; their elements reach the runs.
func TestContexts(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.create("a", nil)
	create := `mutation($c: [ConfigInput!]){ contextCreateV2(input: {name: "Cloud", space: "shop", labels: ["autoattach:cloud"], configAttachments: $c}){ id config { id value } } }`
	data := f.do(create, vars{"c": []vars{{"id": "REGION", "type": "ENVIRONMENT_VARIABLE", "value": "eu", "writeOnly": false}}})
	equal(t, "created", at(data, "contextCreateV2"), vars{"id": "cloud", "config": []vars{{"id": "REGION", "value": "eu"}}})
	f.refused("could not persist context: context with this slug already exists for this account", create, vars{"c": nil})
	attach := `mutation($id: ID!, $stack: ID!){ contextAttach(id: $id, stack: $stack, priority: 3){ id } }`
	id := at(f.do(attach, vars{"id": "cloud", "stack": "a"}), "contextAttach", "id")
	f.refused("already attached", attach, vars{"id": "cloud", "stack": "a"})
	equal(t, "read", f.do(`{ stack(id: "a"){ attachedContexts { id contextId contextName priority isAutoattached } } context(id: "cloud"){ attachedStack(id: "a"){ id priority } } }`, nil), vars{
		"stack":   vars{"attachedContexts": []vars{{"id": id, "contextId": "cloud", "contextName": "Cloud", "priority": 3, "isAutoattached": false}}},
		"context": vars{"attachedStack": vars{"id": id, "priority": 3}},
	})
	f.config("a", "SIZE", "1", false)
	other := `mutation{ contextCreateV2(input: {name: "Low", space: "shop", configAttachments: [{id: "REGION", type: ENVIRONMENT_VARIABLE, value: "us", writeOnly: false}, {id: "SIZE", type: ENVIRONMENT_VARIABLE, value: "9", writeOnly: false}]}){ id } }`
	f.do(other, nil)
	f.do(`mutation{ contextAttach(id: "low", stack: "a", priority: 5){ id } }`, nil)
	f.server.Push("acme/manager", "main", sha1)
	var names []string
	for _, e := range f.stack("a").Runs[0].Config {
		names = append(names, e.ID+"="+e.Value)
	}
	equal(t, "what the run has", names, []string{"REGION=eu", "SIZE=1"})
	f.create("b", vars{"space": "bank"})
	f.refused("cannot attach context, stack b space has no access to context space", attach, vars{"id": "cloud", "stack": "b"})
	f.do(on("contextDetach"), vars{"id": id})
	left := f.stack("a").Contexts
	equal(t, "left", []any{len(left), left[0].Of, left[0].Priority}, []any{1, "low", 5})
}

// TestDependencies: they form no cycle and are there once, and outputs go where there are
// some.
func TestDependencies(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, id := range []string{"a", "b", "c"} {
		f.create(id, nil)
	}
	f.create("play", vars{"vendorConfig": vars{"ansible": vars{"playbook": "site.yml"}}})
	depend := `mutation($on: ID!, $of: ID!){ stackDependencyCreate(input: {stackId: $of, dependsOnStackId: $on}){ id } }`
	ab := at(f.do(depend, vars{"of": "b", "on": "a"}), "stackDependencyCreate", "id")
	f.do(depend, vars{"of": "c", "on": "b"})
	play := at(f.do(depend, vars{"of": "c", "on": "play"}), "stackDependencyCreate", "id")
	f.refused("already exists", depend, vars{"of": "b", "on": "a"})
	f.refused("cycle", depend, vars{"of": "a", "on": "a"})
	f.refused("cycle", depend, vars{"of": "a", "on": "c"})
	f.refused("stack not found", depend, vars{"of": "a", "on": "none"})
	refer := `mutation($id: ID!, $in: String!){ stackDependenciesAddReference(stackDependencyID: $id, reference: {outputName: "vpc", inputName: $in, type: ENVIRONMENT_VARIABLE}){ id } }`
	ref := at(f.do(refer, vars{"id": ab, "in": "TF_VAR_vpc"}), "stackDependenciesAddReference", "id")
	f.refused("already exists", refer, vars{"id": ab, "in": "TF_VAR_vpc"})
	f.refused("stack play has no outputs", refer, vars{"id": play, "in": "TF_VAR_vpc"})
	f.refused("stack dependency not found", refer, vars{"id": "none", "in": "x"})
	equal(t, "read", f.do(`{ stack(id: "b"){ dependsOn { id dependsOnStackId referenceCount references { id outputName inputName type } dependsOnStack { id isDependedOnBy { stackId } } } dependency(dependsOnStackId: "a"){ id } } }`, nil), vars{"stack": vars{
		"dependsOn": []vars{{"id": ab, "dependsOnStackId": "a", "referenceCount": 1,
			"references":     []vars{{"id": ref, "outputName": "vpc", "inputName": "TF_VAR_vpc", "type": "ENVIRONMENT_VARIABLE"}},
			"dependsOnStack": vars{"id": "a", "isDependedOnBy": []vars{{"stackId": "b"}}}}},
		"dependency": vars{"id": ab},
	}})
	f.refused("other stacks depend on it", on("stackDelete"), vars{"id": "a"})
	f.do(on("stackDependenciesDeleteReference"), vars{"id": ref})
	f.do(on("stackDependencyDelete"), vars{"id": ab})
	f.refused("stack dependency not found", on("stackDependencyDelete"), vars{"id": ab})
	equal(t, "left", len(f.stack("b").Dependencies), 0)
}

// TestDrift: a schedule is stored for any workers and runs on private ones.
func TestDrift(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.create("private", vars{"workerPool": "pool"})
	f.create("public", nil)
	set := func(field string) string {
		return `mutation($stack: ID!, $schedule: [String!]!, $zone: String){ ` + field + `(stack: $stack, input: {reconcile: true, ignoreState: false, schedule: $schedule, timezone: $zone}){ schedule timezone deleted } }`
	}
	create, update := set("stackIntegrationDriftDetectionCreate"), set("stackIntegrationDriftDetectionUpdate")
	read := `{ stack(id: "public"){ integrations { driftDetection { schedule reconcile timezone } } } }`
	equal(t, "none", at(f.do(read, nil), "stack", "integrations", "driftDetection"), vars{"schedule": []string{}, "reconcile": false, "timezone": "UTC"})
	f.refused("not found", update, vars{"stack": "public", "schedule": []string{"0 4 * * *"}})
	f.refused("no cron expression", create, vars{"stack": "public", "schedule": []string{"daily"}})
	f.refused("cannot be empty", create, vars{"stack": "public", "schedule": []string{}})
	f.refused("is not known", create, vars{"stack": "public", "schedule": []string{"0 4 * * *"}, "zone": "Mars/Base"})
	for _, id := range []string{"private", "public"} {
		f.do(create, vars{"stack": id, "schedule": []string{"0 4 * * *"}})
	}
	f.refused("already has one", create, vars{"stack": "public", "schedule": []string{"0 4 * * *"}})
	f.do(update, vars{"stack": "public", "schedule": []string{"0 5 * * 1-5", "0 6 * * 6"}})
	equal(t, "read", at(f.do(read, nil), "stack", "integrations", "driftDetection"), vars{"schedule": []string{"0 5 * * 1-5", "0 6 * * 6"}, "reconcile": true, "timezone": "UTC"})
	equal(t, "before the first run", len(f.server.DetectDrift()), 0)
	f.server.Push("acme/manager", "main", sha1)
	f.until("private", "UNCONFIRMED")
	for _, id := range []string{"private", "public"} {
		good(t, f.server.Confirm(id, f.stack(id).Runs[0].ID, "jo"))
	}
	f.until("private", "FINISHED")
	equal(t, "public workers", f.stack("public").Runs[0].State, "FINISHED")
	equal(t, "due", f.server.DetectDrift(), []string{"private"})
	f.server.Plan(func(_ spacelift.Stack, r spacelift.Run) spacelift.Delta {
		return spacelift.Delta{Change: 1, Resources: 3}
	})
	for range 6 {
		f.server.Step()
	}
	runs := f.stack("private").Runs
	equal(t, "runs", []any{len(runs), runs[1].Type, runs[1].State, runs[1].Drift, runs[2].Type, runs[2].Drift}, []any{3, "PROPOSED", "FINISHED", true, "TRACKED", true})
	f.do(`mutation{ stackIntegrationDriftDetectionDelete(stack: "public"){ deleted } }`, nil)
	f.refused("not found", `mutation{ stackIntegrationDriftDetectionDelete(stack: "public"){ deleted } }`, nil)
}

// TestDelete: a deletion takes its time, and is refused or given up where it has to be.
func TestDelete(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.create("kept", vars{"protectFromDeletion": true})
	f.create("plain", nil)
	f.create("full", nil)
	f.create("busy", vars{"branch": "dev"})
	f.refused("protected", on("stackDelete"), vars{"id": "kept"})
	f.refused("stack not found", on("stackDelete"), vars{"id": "none"})
	f.server.Push("acme/manager", "dev", sha1)
	f.refused("blocked by run", on("stackDelete"), vars{"id": "busy"})
	discard := `mutation{ runDiscardAll(stack: "busy"){ discardedRuns { state } failedDiscarding { id } } }`
	equal(t, "discarded", f.do(discard, nil), vars{"runDiscardAll": vars{"discardedRuns": []vars{{"state": "DISCARDED"}}, "failedDiscarding": []vars{}}})
	f.do(on("stackDelete"), vars{"id": "busy"})
	f.do(on("stackDelete"), vars{"id": "plain"})
	equal(t, "deleting", f.do(`{ stack(id: "plain"){ deleting } }`, nil), vars{"stack": vars{"deleting": true}})
	f.refused("already being deleted", on("stackDelete"), vars{"id": "plain"})
	f.refused("being deleted", on("stackEnable"), vars{"id": "plain"})
	f.refused("being deleted", updateQuery, vars{"id": "plain", "input": stackInput("plain", nil)})
	f.server.Step()
	equal(t, "gone", f.do(`{ stack(id: "plain"){ deleting } }`, nil), vars{"stack": nil})
	destroy := `mutation{ stackDelete(id: "full", destroyResources: true){ deleting blocker { type state } } }`
	f.server.Plan(func(spacelift.Stack, spacelift.Run) spacelift.Delta {
		return spacelift.Delta{Err: "bucket is not empty"}
	})
	equal(t, "destroy", f.do(destroy, nil), vars{"stackDelete": vars{"deleting": true, "blocker": vars{"type": "DESTROY", "state": "QUEUED"}}})
	for range 5 {
		f.server.Step()
	}
	full := f.stack("full")
	equal(t, "a deletion that failed", []any{full.Deleting, full.Runs[0].State, full.Runs[0].History[len(full.Runs[0].History)-1].Note}, []any{false, "FAILED", "bucket is not empty"})
	f.server.Plan(nil)
	f.do(destroy, nil)
	for range 5 {
		f.server.Step()
	}
	equal(t, "left", f.server.Stacks(), []string{"kept"})
}

// TestLock: a stack is locked for one, and starts no run meanwhile.
func TestLock(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.create("a", nil)
	f.do(`mutation{ stackLock(id: "a", note: "moving"){ lockedBy lockNote } }`, nil)
	equal(t, "locked", f.do(`{ stack(id: "a"){ lockedBy lockNote } }`, nil), vars{"stack": vars{"lockedBy": "api::ops", "lockNote": "moving"}})
	equal(t, "a push", len(f.server.Push("acme/manager", "main", sha1)), 0)
	f.refused("locked by", `mutation{ runTrigger(stack: "a"){ id } }`, nil)
	shop := f.login("shop", "shop-secret")
	for _, field := range []string{"stackLock", "stackUnlock"} {
		if r := f.ask(shop, on(field), vars{"id": "a"}); len(r.errors) != 1 || !strings.Contains(r.errors[0], "locked by api::ops") {
			t.Errorf("%s: %s", field, r.body)
		}
	}
	f.do(on("stackUnlock"), vars{"id": "a"})
	f.refused("not locked", on("stackUnlock"), vars{"id": "a"})
	first, second := f.trigger("a", "TRACKED", sha1), f.trigger("a", "TRACKED", sha2)
	f.until("a", "QUEUED")
	for range 5 {
		f.server.Step()
	}
	good(t, f.server.LockByHand("a", "jo", "look"))
	f.refused("stack is locked by jo", `mutation($run: ID!){ runConfirm(stack: "a", run: $run){ id } }`, vars{"run": first})
	good(t, f.server.Confirm("a", first, "jo"))
	for range 5 {
		f.server.Step()
	}
	runs := f.stack("a").Runs
	equal(t, "a queued run waits", []string{runs[0].State, runs[1].State}, []string{"FINISHED", "QUEUED"})
	good(t, f.server.UnlockByHand("a"))
	f.server.Step()
	equal(t, "and goes on", []any{f.stack("a").Runs[1].State, f.stack("a").Runs[1].ID}, []any{"READY", second})
}
