package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/metapipe/metapipe/pkg/actions"
	"github.com/metapipe/metapipe/pkg/engine/terraform/iam"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

type rolesOptions struct {
	managerDir, repository, branch, subject, issuer, prefix, account string
}

func newBootstrapRolesCmd(app *App) *cobra.Command {
	var o rolesOptions
	cmd := &cobra.Command{
		Use:   "roles",
		Short: "Print the AWS roles of the workflows, and their OIDC provider, as Terraform",
		Long: `roles prints Terraform for the OIDC provider of GitHub Actions and for the IAM roles
of fetch-vars, plan, apply, report, drift, sweep, compliance and sync, with the policies that
bootstrap state prints. With ` + "`role`" + ` in metapipe.yml or in a customer's file, it prints
these roles too. Each role trusts exactly the jobs of the manager's workflows that
take it: by their environment, or by the default branch where they have none.

GitHub is asked with GITHUB_TOKEN for the default branch and for the form of the
subject in the ID tokens of the manager's repository. With --branch and --subject
nothing is asked. Nothing is changed: review what is printed, and apply it.`,
		Example: "  metapipe bootstrap roles > roles.tf\n  metapipe bootstrap roles --branch main --subject repo:octo-org@1234/infra@5678 > roles.tf",
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return app.bootstrapRoles(cmd.Context(), o) },
	}
	cmd.Flags().StringVar(&o.managerDir, "manager-dir", "", "`DIR` of the manager checkout (default: the working directory)")
	cmd.Flags().StringVar(&o.repository, "repository", "", "the manager's repository as `OWNER/NAME` (default: the remote origin)")
	cmd.Flags().StringVar(&o.branch, "branch", "", "default `BRANCH` of the manager's repository (default: ask GitHub)")
	cmd.Flags().StringVar(&o.subject, "subject", "", "what the claim sub of the manager's ID tokens begins with, before the environment or ref, as `PREFIX` (default: ask GitHub)")
	cmd.Flags().StringVar(&o.issuer, "issuer", "", "`URL` of the issuer of ID tokens (default: that of the GitHub server, or issuer of metapipe.yml)")
	cmd.Flags().StringVar(&o.prefix, "name-prefix", "metapipe-", "`TEXT` that the names of the roles begin with")
	cmd.Flags().StringVar(&o.account, "account", "", "print only the roles that the key role names in the account with this `ID`")
	return cmd
}

func (a *App) bootstrapRoles(ctx context.Context, o rolesOptions) error {
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
	bucket.Region = cmp.Or(bucket.Region, a.getenv("AWS_REGION"), a.getenv("AWS_DEFAULT_REGION"))
	if bucket.Region == "" {
		return pipeline.Usagef("the region of the state bucket is not known").Nextf("set `state.region` in metapipe.yml, or AWS_REGION")
	}
	book := roleBook{manager: m, options: o, bucket: bucket}
	if book.repository, book.subject, err = cloudOf(m).trusted(ctx, o); err != nil {
		return err
	}
	roles, err := book.roles()
	if err != nil {
		return err
	}
	text, err := roles.HCL()
	if err != nil {
		return err
	}
	_, err = a.Out.Write(text)
	return err
}

// trusted is the manager's repository and how its ID tokens name it.
func (m cloud) trusted(ctx context.Context, o rolesOptions) (r pipeline.Repository, s actions.Subject, err error) {
	r.Slug = m.slug(ctx)
	if o.repository != "" {
		if r.Slug, err = pipeline.ParseSlug(o.repository); err != nil {
			return r, s, pipeline.Usagef("--repository").Because(err).Nextf("write it as OWNER/NAME")
		}
	}
	if r.Slug == localManager {
		return r, s, pipeline.Usagef("the roles trust the manager's repository on GitHub, and %s has no remote origin", m.dir).
			Nextf("name it with --repository OWNER/NAME")
	}
	r.DefaultBranch = o.branch
	if o.branch != "" && o.subject != "" {
		s, err = actions.ParseSubject(r, o.subject)
		return r, s, err
	}
	client, err := m.github.client(envOwnToken)
	if err != nil {
		return r, s, fmt.Errorf("ask GitHub about %s: %w; with --branch and --subject nothing is asked", r.Slug, err)
	}
	if r, err = client.Repository(ctx, r.Slug); err != nil {
		return r, s, err
	}
	r.DefaultBranch = cmp.Or(o.branch, r.DefaultBranch)
	if o.subject != "" {
		s, err = actions.ParseSubject(r, o.subject)
		return r, s, err
	}
	claim, err := client.SubjectClaim(ctx, r.Slug)
	if err != nil {
		return r, s, err
	}
	if claim.Immutable == nil && strings.HasSuffix(actions.Issuer(m.context.ServerURL), "/_services/token") {
		names := false // a server of one's own has no other form
		claim.Immutable = &names
	}
	s, err = actions.NewSubject(r, claim)
	return r, s, err
}

// head says what the file is for, above its first block.
func (b roleBook) head(roles []iam.Role, notes []string) []string {
	lines := []string{
		"The OIDC provider and the IAM roles of " + b.repository.Slug.String() + ", printed by `metapipe bootstrap roles`.",
		"Print it again after a change of metapipe.yml, customers/ or the workflows, and after a",
		"rename or transfer of the repository. The outputs are variables of the repository and of",
		"its environments on GitHub.",
	}
	if slices.ContainsFunc(roles, func(r iam.Role) bool { return r.Variable != "" }) {
		lines = append(lines, "What Terraform may read and build is yours to say: plan_policy_arns and apply_policy_arns.")
	}
	return append(lines, notes...)
}

// issuer signs the ID tokens of the manager's runs.
func (b roleBook) issuer() string {
	return strings.TrimRight(cmp.Or(b.options.issuer, b.manager.config.Manager.Issuer, actions.Issuer(b.manager.context.ServerURL)), "/")
}

// checkIssuer refuses what AWS takes for no provider.
func (b roleBook) checkIssuer() error {
	if strings.HasPrefix(b.issuer(), "https://") && !strings.ContainsAny(b.issuer(), "?# \"\\$%") {
		return nil
	}
	return pipeline.Usagef("the issuer of ID tokens is %q, and AWS takes an https:// address without query", b.issuer()).
		Nextf("name it with --issuer URL")
}

// outputs are the variables that the workflows read.
func (b roleBook) outputs() []iam.Output {
	outputs := []iam.Output{
		{Name: "AWS_ROLE_ARN", Description: "Variable AWS_ROLE_ARN of the repository.", Label: "fetch-vars"},
		{Name: "AWS_REPORT_ROLE_ARN", Description: "Variable AWS_REPORT_ROLE_ARN of the repository.", Label: "report"},
		{Name: "AWS_DRIFT_ROLE_ARN", Description: "Variable AWS_DRIFT_ROLE_ARN of the repository.", Label: "drift"},
		{Name: "AWS_SWEEP_ROLE_ARN", Description: "Variable AWS_SWEEP_ROLE_ARN of the repository.", Label: "sweep"},
		{Name: "AWS_COMPLIANCE_ROLE_ARN", Description: "Variable AWS_COMPLIANCE_ROLE_ARN of the repository.", Label: "compliance"},
		{Name: "AWS_SYNC_ROLE_ARN", Description: "Variable AWS_SYNC_ROLE_ARN of the repository.", Label: "sync"},
	}
	for _, env := range environmentsOf(b.manager.config.Manager) {
		for _, work := range []pipeline.Work{pipeline.WorkPlan, pipeline.WorkApply} {
			outputs = append(outputs, iam.Output{Name: "AWS_ROLE_ARN-" + gate(env, work),
				Description: "Variable AWS_ROLE_ARN of the environment " + gate(env, work) + ".", Label: string(work) + "-" + string(env)})
		}
	}
	return outputs
}
