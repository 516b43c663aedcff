package cli

import (
	"context"
	"errors"
	"slices"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/doctor"
	"github.com/metapipe/metapipe/pkg/spacelift"
)

// account looks at the account of Spacelift: the API key, and what metapipe.yml names there.
func (x examination) account(ctx context.Context) []doctor.Check {
	rule := x.config.Manager.Spacelift
	if rule == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	key := doctor.Check{ID: "spacelift.key", Subject: rule.Endpoint, State: doctor.OK, Evidence: "the API key is accepted"}
	client, err := x.spacelift(*rule)
	if err != nil {
		key.State, key.Evidence, key.Remedy, key.Needs = doctor.Unknown, short(err), nextStep(err), envSpaceliftID+", "+envSpaceliftSecret
		return []doctor.Check{key}
	}
	if err := client.Login(ctx); err != nil {
		key.State, key.Evidence, key.Remedy = doctor.Fail, short(err), "correct "+envSpaceliftID+" and "+envSpaceliftSecret
		var refused *spacelift.Error
		if !errors.As(err, &refused) && !errors.Is(err, spacelift.ErrNoKey) {
			key.State, key.Remedy = doctor.Unknown, "run doctor again, and look at spacelift.endpoint in metapipe.yml"
		}
		return []doctor.Check{key}
	}
	return append([]doctor.Check{key}, x.inAccount(ctx, client, *rule)...)
}

// inAccount looks at each thing that metapipe.yml names.
func (x examination) inAccount(ctx context.Context, client *spacelift.Client, rule pipeline.SpaceliftRule) []doctor.Check {
	there, err := client.Space(ctx, rule.Space)
	checks := []doctor.Check{found("spacelift.space", "space", rule.Space, there, err)}
	policies := slices.Clone(rule.Policies)
	if rule.ApprovalPolicy != "" {
		policies = append(policies, rule.ApprovalPolicy)
	}
	for _, id := range policies {
		asks, there, err := client.Policy(ctx, id)
		c := found("spacelift.policy", "policy", id, there, err)
		if c.State == doctor.OK && id == rule.ApprovalPolicy && !asks {
			c.State, c.Evidence = doctor.Fail, "it is not of the type APPROVAL, and asks no one for an approval"
			c.Remedy = "name a policy of the type APPROVAL as spacelift.approval_policy"
		}
		checks = append(checks, c)
	}
	for _, id := range rule.Contexts {
		there, err := client.Context(ctx, id)
		checks = append(checks, found("spacelift.context", "context", id, there, err))
	}
	if rule.WorkerPool != "" {
		there, err := client.WorkerPool(ctx, rule.WorkerPool)
		checks = append(checks, found("spacelift.worker-pool", "worker pool", rule.WorkerPool, there, err))
	}
	return checks
}

// found is the check of something with an id.
func found(kind, what, id string, there bool, err error) doctor.Check {
	c := doctor.Check{ID: kind, Subject: id, State: doctor.OK, Evidence: "the API key sees it"}
	switch {
	case err != nil:
		c.State, c.Evidence, c.Remedy = doctor.Unknown, short(err), "run doctor again"
	case !there:
		c.State, c.Evidence = doctor.Fail, "there is no "+what+" with this id, or the API key may not see it"
		c.Remedy = "write the id as the address of its page in Spacelift ends, or give the API key a role in its space"
	}
	return c
}
