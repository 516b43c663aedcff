package spacelift

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/provision"
)

const (
	// pageSize is how many stacks Spacelift's own clients ask for at once.
	pageSize = 50
	// maxPages bounds a list that does not end.
	maxPages = 400
)

// identified is an object of which only the id counts.
type identified struct {
	ID string `json:"id"`
}

// node is a stack as Spacelift answers.
type node struct {
	ID               string      `json:"id"`
	Name             string      `json:"name"`
	Description      *string     `json:"description"`
	Space            string      `json:"space"`
	Namespace        string      `json:"namespace"`
	Repository       string      `json:"repository"`
	Branch           string      `json:"branch"`
	ProjectRoot      *string     `json:"projectRoot"`
	Labels           []string    `json:"labels"`
	Autodeploy       bool        `json:"autodeploy"`
	ManagesStateFile bool        `json:"managesStateFile"`
	IsDisabled       bool        `json:"isDisabled"`
	Deleting         bool        `json:"deleting"`
	LockedBy         *string     `json:"lockedBy"`
	Blocker          *identified `json:"blocker"`
	WorkerPool       *identified `json:"workerPool"`
	VCSIntegration   *struct {
		ID        string `json:"id"`
		IsDefault bool   `json:"isDefault"`
	} `json:"vcsIntegration"`
	VendorConfig vendor `json:"vendorConfig"`
	Config       []struct {
		ID        string `json:"id"`
		Type      string `json:"type"`
		Checksum  string `json:"checksum"`
		WriteOnly bool   `json:"writeOnly"`
	} `json:"config"`
	AttachedPolicies []struct {
		PolicyID       string `json:"policyId"`
		PolicyType     string `json:"policyType"`
		IsAutoattached bool   `json:"isAutoattached"`
	} `json:"attachedPolicies"`
	AttachedContexts []struct {
		ContextID      string `json:"contextId"`
		IsAutoattached bool   `json:"isAutoattached"`
	} `json:"attachedContexts"`
	DependsOn []struct {
		ID             string     `json:"id"`
		DependsOnStack identified `json:"dependsOnStack"`
	} `json:"dependsOn"`
	Integrations *struct {
		DriftDetection *driftDetection `json:"driftDetection"`
	} `json:"integrations"`
	Outputs []struct {
		ID        string  `json:"id"`
		Value     *string `json:"value"`
		Sensitive bool    `json:"sensitive"`
	} `json:"outputs"`
	other
}

// other is what an update has to send again, under the names of StackInput.
type other struct {
	Provider                     string   `json:"provider,omitempty"`
	RepositoryURL                *string  `json:"repositoryURL,omitempty"`
	AdditionalProjectGlobs       []string `json:"additionalProjectGlobs,omitempty"`
	Administrative               bool     `json:"administrative"`
	Autoretry                    bool     `json:"autoretry"`
	GitHubActionDeploy           bool     `json:"githubActionDeploy"`
	LocalPreviewEnabled          bool     `json:"localPreviewEnabled"`
	EnableWellKnownSecretMasking bool     `json:"enableWellKnownSecretMasking"`
	EnableSensitiveOutputUpload  bool     `json:"enableSensitiveOutputUpload"`
	ProtectFromDeletion          bool     `json:"protectFromDeletion"`
	RunnerImage                  *string  `json:"runnerImage,omitempty"`
	BeforeInit                   []string `json:"beforeInit,omitempty"`
	AfterInit                    []string `json:"afterInit,omitempty"`
	BeforePlan                   []string `json:"beforePlan,omitempty"`
	AfterPlan                    []string `json:"afterPlan,omitempty"`
	BeforeApply                  []string `json:"beforeApply,omitempty"`
	AfterApply                   []string `json:"afterApply,omitempty"`
	BeforeDestroy                []string `json:"beforeDestroy,omitempty"`
	AfterDestroy                 []string `json:"afterDestroy,omitempty"`
	BeforePerform                []string `json:"beforePerform,omitempty"`
	AfterPerform                 []string `json:"afterPerform,omitempty"`
	AfterRun                     []string `json:"afterRun,omitempty"`
}

// keptInput is what provision keeps of a stack for an update.
type keptInput struct {
	Input  other    `json:"input"`
	Labels []string `json:"labels"`
	Vendor vendor   `json:"vendor"`
}

// vendor is the configuration of the tool.
type vendor struct {
	Typename                   string  `json:"__typename"`
	Version                    *string `json:"version"`
	Workspace                  *string `json:"workspace"`
	UseSmartSanitization       bool    `json:"useSmartSanitization"`
	ExternalStateAccessEnabled bool    `json:"externalStateAccessEnabled"`
	Concise                    bool    `json:"concise"`
	TerraformTool              string  `json:"terraformTool"`
	TofuTool                   string  `json:"tofuTool"`
}

type driftDetection struct {
	Schedule    []string `json:"schedule"`
	Reconcile   bool     `json:"reconcile"`
	IgnoreState bool     `json:"ignoreState"`
	Timezone    string   `json:"timezone"`
}

// The names of the members of the union of tools.
const (
	terraformVendor = "StackConfigVendorTerraform"
	tofuVendor      = "StackConfigVendorOpenTofu"
)

// approvalType is the type of the policies that ask for an approval.
const approvalType = "APPROVAL"

// tool is the name of the tool as metapipe.yml has it, or as Spacelift has it where that is another one. A tool that
// its users bring themselves is another one, too.
func (v vendor) tool() string {
	switch {
	case v.Typename == terraformVendor && v.TerraformTool == foss:
		return "terraform"
	case v.Typename == terraformVendor && v.TerraformTool == openTofuOfTerraform:
		return "tofu of " + terraformVendor
	case v.Typename == tofuVendor && v.TofuTool == openTofu:
		return "tofu"
	}
	return v.Typename + " " + v.TerraformTool + v.TofuTool
}

// found is the stack for provision.
func (n node) found() (provision.Found, error) {
	f := provision.Found{ID: n.ID, Labels: n.Labels, Checksums: map[string]provision.Checked{}, Needs: map[string]string{}, Outputs: map[string]string{}, Locked: n.LockedBy != nil && *n.LockedBy != "", Protected: n.ProtectFromDeletion}
	if n.ID == "" {
		return f, errors.New("the answer has a stack without an id")
	}
	f.Stack = provision.Stack{
		Name: n.Name, Description: deref(n.Description), Space: n.Space, Namespace: n.Namespace, Repository: n.Repository, Branch: n.Branch, Root: deref(n.ProjectRoot),
		Tool: n.VendorConfig.tool(), Version: deref(n.VendorConfig.Version), Autodeploy: n.Autodeploy, ManageState: n.ManagesStateFile, Enabled: !n.IsDisabled, Deleting: n.Deleting,
		Policies: []string{}, Contexts: []string{},
	}
	if n.VCSIntegration != nil && !n.VCSIntegration.IsDefault {
		f.Integration = n.VCSIntegration.ID
	}
	if n.WorkerPool != nil {
		f.WorkerPool = n.WorkerPool.ID
	}
	if n.Blocker != nil {
		f.Blocker = n.Blocker.ID
	}
	for _, c := range n.Config {
		f.Checksums[c.ID] = provision.Checked{Kind: provision.Kind(c.Type), Secret: c.WriteOnly, Checksum: c.Checksum}
	}
	for _, p := range n.AttachedPolicies {
		f.AsksApproval = f.AsksApproval || p.PolicyType == approvalType
		if !p.IsAutoattached {
			f.Policies = append(f.Policies, p.PolicyID)
		}
	}
	for _, c := range n.AttachedContexts {
		if !c.IsAutoattached {
			f.Contexts = append(f.Contexts, c.ContextID)
		}
	}
	for _, d := range n.DependsOn {
		f.Needs[d.DependsOnStack.ID] = d.ID
	}
	if n.Integrations != nil && n.Integrations.DriftDetection != nil && len(n.Integrations.DriftDetection.Schedule) > 0 {
		f.Drift = &provision.Drift{Schedule: n.Integrations.DriftDetection.Schedule, Reconcile: n.Integrations.DriftDetection.Reconcile}
	}
	for _, o := range n.Outputs {
		if !o.Sensitive && o.Value != nil && json.Valid([]byte(*o.Value)) {
			f.Outputs[o.ID] = *o.Value
		}
	}
	var err error
	f.Kept, err = json.Marshal(keptInput{Input: n.other, Labels: n.Labels, Vendor: n.VendorConfig})
	return f, err
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// Stack implements provision.Spacelift.
func (c *Client) Stack(ctx context.Context, id string) (provision.Found, bool, error) {
	var answer struct {
		Stack *node `json:"stack"`
	}
	err := c.do(ctx, call{operation: readStack, what: "read the stack " + id, variables: map[string]any{"id": id}}, &answer)
	var refused *Error
	if errors.As(err, &refused) && refused.NotFound || err == nil && answer.Stack == nil {
		return provision.Found{}, false, nil
	}
	if err != nil {
		return provision.Found{}, false, err
	}
	found, err := answer.Stack.found()
	if err == nil && found.ID != id {
		err = fmt.Errorf("read the stack %s: the answer is about %s", id, pipeline.Quote(found.ID))
	}
	return found, err == nil, err
}

// Labeled implements provision.Spacelift: a request for each fifty stacks.
func (c *Client) Labeled(ctx context.Context, label string) ([]provision.Found, error) {
	var all []provision.Found
	seen := map[string]bool{}
	after := ""
	for page := 0; ; page++ {
		if page == maxPages {
			return nil, fmt.Errorf("read the stacks: more than %d", maxPages*pageSize)
		}
		list, next, more, err := c.page(ctx, label, after)
		if err != nil {
			return nil, err
		}
		for _, f := range list {
			if seen[f.ID] {
				return nil, fmt.Errorf("read the stacks: %s is in the list twice, which has changed meanwhile: run this again", f.ID)
			}
			seen[f.ID] = true
			if slices.Contains(f.Labels, label) { // a search may find more
				all = append(all, f)
			}
		}
		if !more {
			return all, nil
		}
		if next == "" || next == after {
			return nil, errors.New("read the stacks: the pages of the answer do not go on")
		}
		after = next
	}
}

func (c *Client) page(ctx context.Context, label, after string) (list []provision.Found, next string, more bool, err error) {
	input := map[string]any{
		"first":      pageSize,
		"predicates": []any{map[string]any{"field": "label", "constraint": map[string]any{"stringMatches": []string{label}}}},
		"orderBy":    []any{map[string]any{"field": "name", "direction": "ASC"}},
	}
	if after != "" {
		input["after"] = after
	}
	var answer struct {
		Search *struct {
			Edges []struct {
				Node node `json:"node"`
			} `json:"edges"`
			PageInfo struct {
				EndCursor   string `json:"endCursor"`
				HasNextPage bool   `json:"hasNextPage"`
			} `json:"pageInfo"`
		} `json:"searchStacks"`
	}
	if err := c.do(ctx, call{operation: searchStacks, what: "read the stacks", variables: map[string]any{"input": input}}, &answer); err != nil {
		return nil, "", false, err
	}
	if answer.Search == nil {
		return nil, "", false, errors.New("read the stacks: the answer has no list")
	}
	for _, edge := range answer.Search.Edges {
		found, err := edge.Node.found()
		if err != nil {
			return nil, "", false, err
		}
		list = append(list, found)
	}
	return list, answer.Search.PageInfo.EndCursor, answer.Search.PageInfo.HasNextPage, nil
}

// Deleted implements provision.Spacelift.
func (c *Client) Deleted(ctx context.Context, id string) (bool, error) {
	var answer struct {
		Stack *struct {
			Deleting bool `json:"deleting"`
		} `json:"stack"`
	}
	err := c.do(ctx, call{operation: readDeleting, what: "read the stack " + id, variables: map[string]any{"id": id}}, &answer)
	var refused *Error
	switch {
	case errors.As(err, &refused) && refused.NotFound, err == nil && answer.Stack == nil:
		return true, nil
	case err != nil:
		return false, err
	case !answer.Stack.Deleting:
		return false, fmt.Errorf("%s is there and not being deleted any more: its resources could not be destroyed, or someone has stopped it. Look at its last run in Spacelift", id)
	}
	return false, nil
}
