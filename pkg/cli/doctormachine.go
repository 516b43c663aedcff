package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-version"

	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/engine/process"
	"github.com/metapipe/metapipe/pkg/engine/terraform/tool"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/doctor"
	"github.com/metapipe/metapipe/pkg/store"
)

// askTimeout bounds each question to AWS.
const askTimeout = 30 * time.Second

// machine looks at everything but GitHub: keys, store, roles and tools.
func (x examination) machine(ctx context.Context, customers []pipeline.Customer) []doctor.Check {
	checks := x.keysCheck(ctx)
	checks = append(checks, x.bucket(ctx)...)
	checks = append(checks, x.isolation()...)
	checks = append(checks, x.locks(ctx, customers)...)
	checks = append(checks, x.identity(ctx)...)
	checks = append(checks, x.roles(ctx, customers)...)
	checks = append(checks, x.account(ctx)...)
	return append(checks, x.tools(ctx)...)
}

// short is the first line of an error.
func short(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// nextStep is what an error says to do.
func nextStep(err error) string {
	var usage *pipeline.UsageError
	if errors.As(err, &usage) {
		return usage.Next
	}
	return ""
}

// keysCheck seals and opens something, and stores nothing.
func (x examination) keysCheck(ctx context.Context) []doctor.Check {
	c := doctor.Check{ID: "keys.seal", Subject: envKey, State: doctor.OK, Evidence: "what it seals it opens again"}
	if len(x.config.Manager.SealingKeys) > 0 {
		c.Subject = x.config.Manager.SealingKeys[0]
	}
	k := x.keys()
	if k.none() {
		c.State, c.Evidence, c.Needs = doctor.Unknown, envKey+" is not set", envKey
		c.Remedy = "export the key of the manager, and run doctor again"
		return []doctor.Check{c}
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	if err := sealAndOpen(ctx, k); err != nil {
		c.State, c.Evidence, c.Remedy = doctor.Fail, short(err), nextStep(err)
		if x.config.Manager.SealingKeys != nil && errors.Is(err, context.DeadlineExceeded) {
			c.State = doctor.Unknown
		}
	}
	return []doctor.Check{c}
}

// sealAndOpen tries the first key, the one that seals.
func sealAndOpen(ctx context.Context, k keys) error {
	sealer, err := k.sealer(ctx)
	if err != nil {
		return err
	}
	const text = "metapipe doctor"
	to := pipeline.Binding{Target: pipeline.Target{Customer: "_metapipe"}, Data: []byte(text)}
	var sealed bytes.Buffer
	w, err := sealer.Seal(ctx, &sealed, to)
	if err != nil {
		return err
	}
	if _, err = io.WriteString(w, text); err == nil {
		err = w.Close()
	}
	if err != nil {
		return err
	}
	r, err := sealer.Unseal(ctx, &sealed, to)
	if err != nil {
		return err
	}
	opened, err := io.ReadAll(r)
	if err == nil && string(opened) != text {
		err = errors.New("the key opens something else than it has sealed")
	}
	return err
}

// bucket looks at the settings of the state bucket as `bootstrap state` does.
func (x examination) bucket(ctx context.Context) []doctor.Check {
	x.place("").choose()
	state := x.config.Manager.State
	c := doctor.Check{ID: "store.bucket", Subject: state.Bucket.Name, State: doctor.OK}
	if state.Bucket.Name == "" {
		c.Subject, c.Evidence = state.Directory, "a directory of this machine"
		if err := x.place("").usable(); err != nil {
			c.State, c.Evidence, c.Remedy = doctor.Fail, short(err), nextStep(err)
		}
		return []doctor.Check{c}
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	s3, err := store.NewS3(ctx, bucketOptions(x.app, state.Bucket))
	var steps []store.Step
	if err == nil {
		steps, err = s3.Bootstrap(ctx, store.BucketRules{PlanDays: 90, VersionDays: 365, Targets: cloudOf(x.manager).targets()}, false)
	}
	checks := []doctor.Check{}
	for _, step := range steps {
		one := doctor.Check{ID: c.ID, Subject: c.Subject, State: doctor.OK, Evidence: step.Name + ": " + step.Detail}
		switch step.State {
		case store.StepMissing:
			one.State, one.Evidence = doctor.Fail, step.Name+" is not as it should be: "+step.Detail
			one.Remedy = "run `metapipe bootstrap state --apply` with administrator credentials"
		case store.StepUnsupported:
			one.State, one.Evidence = doctor.Unknown, step.Name+": this server does not know it"
		case store.StepSkipped:
			one.State, one.Evidence, one.Remedy = doctor.Warn, step.Name+": none", "name a bucket for it with `metapipe bootstrap state --log-bucket`"
		}
		checks = append(checks, one)
	}
	if err != nil {
		c.State, c.Evidence, c.Remedy, c.Needs = doctor.Unknown, short(err), nextStep(err), "AWS credentials that may read the settings of the bucket"
		checks = append(checks, c)
	}
	return checks
}

// isolation says whether a plan of one customer has credentials for another one's state.
func (x examination) isolation() []doctor.Check {
	rules := x.config.Manager
	c := doctor.Check{ID: "store.isolation", Subject: config.ManagerFile, State: doctor.OK, Evidence: "each job takes the role of its target, cut to its state"}
	switch {
	case rules.State.Bucket.Name == "":
		return nil
	case rules.Role == "" && len(x.config.Customers) > 1:
		c.State, c.Evidence = doctor.Warn, "no `role`: the jobs of all customers share the role of their environment, which reaches all states"
		c.Remedy = "set `role` with {{ customer }}: the page Setup, “A role per customer”"
	case rules.Role == "":
		c.Evidence = "no `role`, and there is one customer"
	case !strings.Contains(string(rules.Role), "customer"):
		c.Evidence = "the role is shared, and each session is cut to its target"
	}
	return []doctor.Check{c}
}

// locks looks for locks beside the states of customers.
func (x examination) locks(ctx context.Context, customers []pipeline.Customer) (checks []doctor.Check) {
	if len(customers) == 0 || x.place("").isMissing() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	if err := x.openStore(ctx, ""); err != nil {
		return []doctor.Check{{ID: "store.lock", Subject: x.config.Manager.State.Bucket.Name, State: doctor.Unknown, Evidence: short(err), Remedy: nextStep(err), Needs: "AWS credentials that may read the states"}}
	}
	free := 0
	for _, customer := range customers {
		for _, t := range customer.Targets() {
			lock, known, err := statesOf(x.manager).Lock(ctx, customer, t)
			c := doctor.Check{ID: "store.lock", Subject: t.String(), State: doctor.Warn}
			switch {
			case err != nil:
				c.State, c.Evidence = doctor.Unknown, short(err)
			case lock != nil:
				c.Evidence = "locked by " + lock.String()
				c.Remedy = "wait for its end; where the process is dead, `metapipe unlock`"
			default:
				if known {
					free++
				}
				continue
			}
			checks = append(checks, c)
		}
	}
	if len(checks) == 0 {
		checks = []doctor.Check{{ID: "store.lock", Subject: count(len(customers), "customer"), State: doctor.OK, Evidence: fmt.Sprintf("%s are not locked", count(free, "state"))}}
	}
	return checks
}

// identity asks AWS who this process is.
func (x examination) identity(ctx context.Context) []doctor.Check {
	if x.config.Manager.State.Bucket.Name == "" && x.config.Manager.Role == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	arn, err := store.Identity(ctx, x.app.lookup, x.config.Manager.State.Bucket.Region)
	c := doctor.Check{ID: "cloud.identity", Subject: "AWS", State: doctor.OK, Evidence: arn}
	if err != nil {
		c.State, c.Evidence, c.Needs = doctor.Unknown, short(err), "AWS credentials"
		c.Remedy = "log in to AWS, or run doctor in a job that takes the role of AWS_ROLE_ARN"
	}
	return []doctor.Check{c}
}

// roles takes the role of the first target of each customer with the ID token of the run, and drops it.
func (x examination) roles(ctx context.Context, customers []pipeline.Customer) (checks []doctor.Check) {
	for _, customer := range customers {
		targets := customer.Targets()
		if customer.Manager.Role == "" || len(targets) == 0 || customer.Offboarded {
			continue
		}
		role := customer.Manager.Role.Of(targets[0], pipeline.WorkPlan)
		c := doctor.Check{ID: "cloud.role", Subject: role, State: doctor.OK, Evidence: "the run can take it for " + targets[0].String()}
		if !x.context.InActions {
			c.State, c.Evidence, c.Remedy = doctor.Unknown, "only a run in Actions has the ID token for it", "run doctor in a job with `id-token: write`"
			c.Needs = "id-token: write of a job"
		} else if _, err := credentialsOf(x.manager).session(ctx, customer, targets[0], pipeline.WorkPlan); err != nil {
			c.State, c.Evidence, c.Remedy = doctor.Fail, short(err), nextStep(err)
		}
		checks = append(checks, c)
	}
	return checks
}

// programs are the programs of tools that metapipe does not look for itself.
var programs = map[string]string{"ansible": "ansible-playbook", "pulumi": "pulumi", "kubernetes": "kubectl", "crossplane": "kubectl"}

// tools looks for the tool of each stack, and installs nothing.
func (x examination) tools(ctx context.Context) (checks []doctor.Check) {
	rules := []pipeline.ToolRule{}
	renders := false
	add := func(r pipeline.ToolRule) {
		renders = renders || r.Kubernetes.Render.Declared()
		if r.Name != pipeline.CloudFormationTool && !slices.ContainsFunc(rules, func(have pipeline.ToolRule) bool { return have.Name == r.Name && have.Constraint == r.Constraint }) {
			rules = append(rules, r)
		}
	}
	if len(x.config.Manager.Stacks) == 0 {
		add(x.config.Manager.Tool)
	}
	for _, c := range x.config.Customers {
		for _, stack := range c.StackNames() {
			if _, t, err := c.Module(stack); err == nil {
				add(t)
			}
		}
	}
	finder := tool.Finder{Environ: process.Environ(x.app.Environ), CacheDir: x.app.cacheDir(), BinaryPath: x.app.getenv(envTool),
		Install: func(context.Context, string, version.Constraints, string) error {
			return errors.New("doctor installs nothing")
		}}
	for _, rule := range rules {
		c := doctor.Check{ID: "tool.version", Subject: strings.TrimSpace(rule.Name + " " + rule.Constraint), State: doctor.OK}
		if program, other := programs[rule.Name]; other {
			lookFor(program, &c)
		} else if found, err := finder.Find(ctx, rule, func(string) {}); err != nil {
			c.State, c.Evidence, c.Remedy = doctor.Warn, short(err), nextStep(err)
		} else {
			c.Evidence = found.Version + ", " + found.Path
		}
		checks = append(checks, c)
	}
	if renders {
		c := doctor.Check{ID: "tool.version", Subject: "crossplane render", State: doctor.OK}
		lookFor("crossplane", &c)
		checks = append(checks, c)
	}
	return checks
}

// lookFor looks for a program that an engine starts by its name.
func lookFor(program string, c *doctor.Check) {
	at, err := exec.LookPath(program)
	if err != nil {
		c.State, c.Evidence, c.Remedy = doctor.Warn, program+" is not in PATH", "install it where plans run"
		return
	}
	c.Evidence = at
}
