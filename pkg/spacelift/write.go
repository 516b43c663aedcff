package spacelift

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/metapipe/metapipe/pkg/pipeline/provision"
)

// Whose binary runs, as Spacelift names it: its own Terraform, up to 1.5.7, its own OpenTofu, which is
// spelled in two ways.
const (
	foss                = "TERRAFORM_FOSS"
	openTofuOfTerraform = "OPEN_TOFU"
	openTofu            = "OPENTOFU"
)

// Do implements provision.Spacelift.
func (c *Client) Do(ctx context.Context, id string, s provision.Step) error {
	k, err := stepCall(id, s, false)
	if err != nil {
		return err
	}
	var ignored map[string]json.RawMessage
	return c.do(ctx, k, &ignored)
}

// Body implements provision.Spacelift.
func (c *Client) Body(id string, s provision.Step) (json.RawMessage, error) {
	k, err := stepCall(id, s, true)
	if err != nil {
		return nil, err
	}
	return k.body()
}

// stepCall is the operation of a step. redacted leaves the texts of values out.
func stepCall(id string, s provision.Step, redacted bool) (call, error) {
	of := func(o operation, variables map[string]any) (call, error) {
		what := fmt.Sprintf("%s of %s", s.Action, id)
		if s.ID != "" {
			what = fmt.Sprintf("%s %s of %s", s.Action, s.ID, id)
		}
		return call{operation: o, what: what, variables: variables}, nil
	}
	switch s.Action {
	case provision.Create:
		return of(createStack, map[string]any{"slug": id, "manageState": s.Stack.ManageState, "input": input(s.Stack, fresh)})
	case provision.Update:
		kept := fresh
		if err := json.Unmarshal(s.Kept, &kept); s.Kept != nil && err != nil {
			return call{}, fmt.Errorf("update of %s: what the stack has is not known: %w", id, err)
		}
		if s.Stack.Tool != "terraform" && s.Stack.Tool != "tofu" {
			return call{}, fmt.Errorf("update of %s: its tool is %s, which an update would reset", id, s.Stack.Tool)
		}
		kept.Input.ProtectFromDeletion = kept.Input.ProtectFromDeletion && !s.Unprotect
		return of(updateStack, map[string]any{"id": id, "input": input(s.Stack, kept)})
	case provision.Disable:
		return of(disable, map[string]any{"id": id})
	case provision.Enable:
		return of(enable, map[string]any{"id": id})
	case provision.SetValue:
		value := s.Value.Sent()
		if redacted {
			value = fmt.Sprintf("*** (%d bytes)", len(s.Value.Text))
		}
		k, err := of(addConfig, map[string]any{"stack": id, "config": map[string]any{"id": s.Value.ID, "type": string(s.Value.Kind), "value": value, "writeOnly": s.Value.Secret}})
		k.secret = s.Value.Secret
		return k, err
	case provision.DropValue:
		return of(deleteConfig, map[string]any{"stack": id, "id": s.ID})
	case provision.AttachPol:
		return of(attachPolicy, map[string]any{"id": s.ID, "stack": id})
	case provision.AttachCtx:
		return of(attachContext, map[string]any{"id": s.ID, "stack": id, "priority": s.Priority})
	case provision.Need:
		return of(addDependency, map[string]any{"input": map[string]any{"stackId": id, "dependsOnStackId": s.ID}})
	case provision.NoNeed:
		return of(dropDependency, map[string]any{"id": s.ID})
	case provision.CreateDrift, provision.UpdateDrift:
		o := createDrift
		if s.Action == provision.UpdateDrift {
			o = updateDrift
		}
		return of(o, map[string]any{"stack": id, "input": map[string]any{"schedule": s.Drift.Schedule, "reconcile": s.Drift.Reconcile, "ignoreState": false, "timezone": "UTC"}})
	case provision.DiscardRuns:
		return of(discardRuns, map[string]any{"stack": id})
	case provision.Delete:
		return of(deleteStack, map[string]any{"id": id, "destroy": s.Destroy})
	}
	return call{}, fmt.Errorf("%q is no step", s.Action)
}

// fresh is what a new stack gets beside what metapipe says: it is protected from deletion, and no proposed run of it
// can be promoted to one that applies.
var fresh = keptInput{Input: other{Provider: "GITHUB", EnableWellKnownSecretMasking: true, ProtectFromDeletion: true}, Vendor: vendor{UseSmartSanitization: true}}

// input is the whole StackInput: what an update leaves out is reset.
func input(s provision.Stack, kept keptInput) map[string]any {
	in := map[string]any{}
	raw, _ := json.Marshal(kept.Input) // strings and booleans
	_ = json.Unmarshal(raw, &in)
	in["name"], in["description"], in["space"] = s.Name, s.Description, s.Space
	in["namespace"], in["repository"], in["branch"], in["projectRoot"] = s.Namespace, s.Repository, s.Branch, s.Root
	in["autodeploy"] = s.Autodeploy
	in["labels"] = labels(s.Labels, kept.Labels)
	if s.Integration != "" {
		in["vcsIntegrationId"] = s.Integration
	}
	if s.WorkerPool != "" {
		in["workerPool"] = s.WorkerPool
	}
	in["vendorConfig"] = vendorInput(s, kept.Vendor)
	return in
}

// labels are those of metapipe and those of others.
func labels(own, all []string) []string {
	list := slices.Clone(own)
	for _, label := range all {
		if !provision.IsOwnLabel(label) {
			list = append(list, label)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// vendorInput is the one member of VendorConfigInput that the tool of a stack has.
func vendorInput(s provision.Stack, kept vendor) map[string]any {
	config := map[string]any{"useSmartSanitization": kept.UseSmartSanitization, "externalStateAccessEnabled": kept.ExternalStateAccessEnabled}
	if s.Version != "" {
		config["version"] = s.Version
	}
	if kept.Workspace != nil && *kept.Workspace != "" {
		config["workspace"] = *kept.Workspace
	}
	if s.Tool == "tofu" {
		config["workflowTool"], config["concise"] = openTofu, kept.Concise
		return map[string]any{"opentofu": config}
	}
	config["workflowTool"] = foss
	return map[string]any{"terraform": config}
}
