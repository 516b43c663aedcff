package planjson

import (
	"fmt"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

func readText(t *testing.T, doc string) (pipeline.Plan, string) {
	t.Helper()
	plan, fingerprint, err := ReadPlan(strings.NewReader(doc), ReadOptions{MAC: terraformtest.NewMAC})
	if err != nil {
		t.Fatal(err)
	}
	return plan, fingerprint
}

// TestEffects: whatever a plan may do makes it a plan with changes, and another
// effect another fingerprint.
func TestEffects(t *testing.T) {
	t.Parallel()
	invoke := `{"address": "action.a.b", "config_values": {"id": %q}, "lifecycle_action_trigger": {"triggering_resource_address": "c.d", "action_trigger_event": %q}}`
	members := map[string]string{
		"an invocation":          `"action_invocations": [` + fmt.Sprintf(invoke, "one", "BeforeUpdate") + `]`,
		"another argument":       `"action_invocations": [` + fmt.Sprintf(invoke, "two", "BeforeUpdate") + `]`,
		"another event":          `"action_invocations": [` + fmt.Sprintf(invoke, "one", "AfterUpdate") + `]`,
		"twice":                  `"action_invocations": [` + fmt.Sprintf(invoke, "one", "BeforeUpdate") + `,` + fmt.Sprintf(invoke, "one", "BeforeUpdate") + `]`,
		"unknown trigger":        `"action_invocations": [{"address": "action.a.b", "schedule_action_trigger": {"at": "noon"}}]`,
		"another time":           `"action_invocations": [{"address": "action.a.b", "schedule_action_trigger": {"at": "midnight"}}]`,
		"a deferred invocation":  `"deferred_action_invocations": [{"reason": "x", "action_invocation": ` + fmt.Sprintf(invoke, "one", "BeforeUpdate") + `}]`,
		"a deferred change":      `"deferred_changes": [{"reason": "x", "resource_change": {"address": "a.b", "change": {"actions": ["create"]}}}]`,
		"deferred otherwise":     `"deferred_changes": [{"reason": "x", "resource_change": {"address": "a.c", "change": {"actions": ["create"]}}}]`,
		"an unknown member":      `"store_writes": [{"key": "a"}]`,
		"another unknown member": `"store_writes": [{"key": "b"}]`,
		"an unknown flag":        `"wipe": true`,
		"an import by identity":  `"resource_changes": [{"address": "a.b", "change": {"actions": ["no-op"], "importing": {"identity": {"x": "1"}}}}]`,
		"another identity":       `"resource_changes": [{"address": "a.b", "change": {"actions": ["no-op"], "importing": {"identity": {"x": "2"}}}}]`,
		"an unknown import":      `"resource_changes": [{"address": "a.b", "change": {"actions": ["no-op"], "importing": {"unknown": true}}}]`,
		"destroyed":              `"resource_changes": [{"address": "a.b", "change": {"actions": ["create", "delete"], "before": {}, "after": {}}}]`,
		"kept":                   `"resource_changes": [{"address": "a.b", "change": {"actions": ["create", "forget"], "before": {}, "after": {}}}]`,
	}
	prints := map[string]string{}
	for name, member := range members {
		for _, applyable := range []string{`"applyable": true, `, ""} {
			plan, fingerprint := readText(t, `{"format_version": "1.2", `+applyable+member+`}`)
			if !plan.HasChanges() {
				t.Errorf("%s (%s) counts as no change", name, applyable)
			}
			if other, ok := prints[fingerprint]; ok && other != name {
				t.Errorf("%s has the fingerprint of %s", name, other)
			}
			prints[fingerprint] = name
		}
	}
}

// TestApplyable: a plan that the tool would apply is never empty, and one that it
// would not has nothing to apply.
func TestApplyable(t *testing.T) {
	t.Parallel()
	for doc, want := range map[string]bool{
		`"applyable": true`:                       true,
		`"applyable": false`:                      false,
		`"complete": true`:                        false,
		`"applyable": false, "later_news": ["x"]`: false,
		`"applyable": true, "resource_changes": [{"address": "data.a.b", "mode": "data", "change": {"actions": ["read"]}}]`:                 false,
		`"applyable": false, "store_writes": [], "a": {}, "b": null, "c": "", "d": false`:                                                   false,
		`"applyable": false, "variables": {"a": {"value": "x"}}, "timestamp": "now", "planned_values": {}, "proposed_unknown": {"a": true}`: false,
	} {
		if plan, _ := readText(t, `{"format_version": "1.2", `+doc+`}`); plan.HasChanges() != want {
			t.Errorf("%s: changes %v, want %v", doc, !want, want)
		}
	}
}

// TestInvocationSecrets: an argument that is marked is shown nowhere.
func TestInvocationSecrets(t *testing.T) {
	t.Parallel()
	plan, _ := readText(t, `{"format_version": "1.2", "action_invocations": [{"address": "action.a.b", "config_values": {"key": "hidden-key-77", "line": "uses hidden-key-77", "deep": {"list": ["deep-key-88", "seen"]}}, "config_sensitive": {"key": true, "deep": {"list": [true, false]}}}]}`)
	text := fmt.Sprintf("%+v", plan)
	if strings.Contains(text, "key-77") || strings.Contains(text, "key-88") || !strings.Contains(text, "seen") {
		t.Errorf("the plan shows %s", text)
	}
}
