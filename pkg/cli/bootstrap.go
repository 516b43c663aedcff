package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/store"
)

type bootstrapOptions struct {
	managerDir, logBucket, customer, environment, stack string
	planDays, versionDays                               int32
	apply, json                                         bool
}

func newBootstrapCmd(app *App) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "bootstrap",
		Short:   "Set up what the manager needs outside of its repository",
		Example: "  metapipe bootstrap state",
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newBootstrapStateCmd(app), newBootstrapRolesCmd(app))
	return cmd
}

func newBootstrapStateCmd(app *App) *cobra.Command {
	var o bootstrapOptions
	cmd := &cobra.Command{
		Use:   "state",
		Short: "Create or check the state bucket, and print the IAM policies for its roles",
		Long: `state checks the bucket of metapipe.yml (or TF_STATE_BUCKET). A state bucket must
exist, be versioned, encrypted and closed to the public, belong to its account, and
accept TLS only. Its accesses are logged; plans and replaced versions expire. The command
prints what it would set. With --apply it sets that, and keeps settings that are correct.
Policies and lifecycle rules of others stay.

It also prints the least policies for the roles of fetch-vars, plan, apply, report,
drift, sweep (and unlock), compliance, sync and rekey (and state reindex). --customer, --environment
and --stack cut them to one prefix, as the session policy of a job should be.`,
		Example: "  metapipe bootstrap state\n  metapipe bootstrap state --apply",
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return app.bootstrapState(cmd.Context(), o) },
	}
	cmd.Flags().StringVar(&o.managerDir, "manager-dir", "", "`DIR` of the manager checkout (default: the working directory)")
	cmd.Flags().StringVar(&o.logBucket, "log-bucket", "", "`BUCKET` that takes the access log; it must let S3 write there")
	cmd.Flags().Int32Var(&o.planDays, "plan-days", 90, "`DAYS` after which plans and their records go; requests and the index of them 65 days later")
	cmd.Flags().Int32Var(&o.versionDays, "version-days", 365, "`DAYS` after which replaced versions go")
	cmd.Flags().StringVar(&o.customer, "customer", "", "cut the policies to this customer `NAME`")
	cmd.Flags().StringVar(&o.environment, "environment", "", "cut the policies to this environment `NAME`")
	cmd.Flags().StringVar(&o.stack, "stack", "", "cut the policies to this stack `NAME`")
	cmd.Flags().BoolVar(&o.apply, "apply", false, "set what is missing")
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
	return cmd
}

// bootstrapResult is what --json prints.
type bootstrapResult struct {
	Bucket   string                      `json:"bucket"`
	Steps    []store.Step                `json:"steps"`
	Policies map[store.Role]store.Policy `json:"policies"`
}

func (a *App) bootstrapState(ctx context.Context, o bootstrapOptions) error {
	s, err := a.newStep()
	if err != nil {
		return err
	}
	m, err := s.loadManager(o.managerDir)
	if err != nil {
		return err
	}
	bucket, err := cloudOf(m).stateBucket()
	if err != nil {
		return err
	}
	if o.planDays < 1 || o.versionDays < 1 {
		return pipeline.Usagef("--plan-days and --version-days must be 1 at least")
	}
	if ttl := m.config.Manager.Limits.PlanTTL; time.Duration(o.planDays)*24*time.Hour < ttl {
		return pipeline.Usagef("--plan-days %d is shorter than limits.plan_ttl of %s: plans would go while they wait for approval",
			o.planDays, ttl).
			Nextf("give them more days")
	}
	s3, err := store.NewS3(ctx, bucketOptions(m.app, bucket))
	if err != nil {
		return err
	}
	bucket.Region = s3.Region()
	policies, err := cloudOf(m).policies(o, bucket)
	if err != nil {
		return err
	}
	rules := store.BucketRules{LogBucket: o.logBucket, PlanDays: o.planDays, VersionDays: o.versionDays, Targets: cloudOf(m).targets()}
	steps, err := s3.Bootstrap(ctx, rules, o.apply)
	result := bootstrapResult{Bucket: s3.Place(), Steps: steps, Policies: policies}
	if o.json {
		return errors.Join(err, a.printJSON(result))
	}
	return errors.Join(err, a.printBootstrap(result, o.apply))
}

// cloud is what bootstrap prints about the bucket and its roles.
type cloud struct{ *manager }

func cloudOf(m *manager) cloud { return cloud{m} }

// stateBucket is the bucket that metapipe.yml or the environment names.
func (m cloud) stateBucket() (pipeline.Bucket, error) {
	state := m.config.Manager.State
	if state.Bucket.Name == "" {
		state.Bucket.Name = m.app.getenv(envBucket)
	}
	if state.Directory != "" {
		return state.Bucket, pipeline.Usagef("metapipe.yml keeps states in the directory %s", state.Directory).
			Nextf("name a bucket with `state.bucket` in place of `state.directory`")
	}
	if state.Bucket.Name == "" {
		return state.Bucket, pipeline.Usagef("no state bucket is named").
			Nextf("set `state.bucket` in metapipe.yml, or the variable TF_STATE_BUCKET")
	}
	return state.Bucket, nil
}

// targets are all targets of the manager, in order.
func (m cloud) targets() []string {
	var targets []string
	for _, c := range m.config.Customers {
		for _, t := range c.Targets() {
			targets = append(targets, t.Folder())
		}
	}
	slices.Sort(targets)
	return targets
}

func (m cloud) policies(o bootstrapOptions, bucket pipeline.Bucket) (map[store.Role]store.Policy, error) {
	scope := store.Scope{Bucket: bucket, Customer: "*", Environment: "*", SealingKeys: m.config.Manager.SealingKeys}
	if o.customer != "" {
		c, err := m.customer(o.customer)
		if err != nil {
			return nil, err
		}
		scope.Customer = string(c.Name)
	}
	if o.environment != "" {
		env, err := m.environment("environment", o.environment)
		if err != nil {
			return nil, err
		}
		scope.Environment = string(env)
	}
	scope.Stack = anyStack(m.config.Manager, scope.Environment)
	if o.stack != "" {
		stack, declared := m.config.Manager.Stack(pipeline.StackName(o.stack))
		if !declared {
			return nil, m.noStack(o.stack)
		}
		scope.Stack = string(stack.Name)
	}
	scope.Needs, scope.Passes = outputsOf(m.config.Manager, pipeline.StackName(scope.Stack))
	scope.Home = homeOf(m.config.Manager, pipeline.StackName(scope.Stack))
	policies := map[store.Role]store.Policy{}
	for _, role := range store.Roles() {
		policy, err := store.RolePolicy(role, scope)
		if err != nil {
			return nil, err
		}
		policies[role] = policy
	}
	return policies, nil
}

func (a *App) printBootstrap(r bootstrapResult, applied bool) error {
	w := tabwriter.NewWriter(a.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s\n", r.Bucket)
	missing := 0
	for _, step := range r.Steps {
		fmt.Fprintf(w, "%s\t%s\t%s\n", step.Name, step.State, step.Detail)
		if step.State == store.StepMissing {
			missing++
		}
	}
	if missing > 0 && !applied {
		fmt.Fprintf(w, "nothing was changed: --apply sets the %d that are missing\n", missing)
	}
	for _, role := range store.Roles() {
		fmt.Fprintf(w, "\npolicy of the role of %s:\n%s", role, r.Policies[role].JSON())
	}
	return w.Flush()
}
