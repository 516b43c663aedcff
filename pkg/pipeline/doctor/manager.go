package doctor

import (
	"context"
	"fmt"
	"path"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Manager is what is looked at in the repository of a manager.
type Manager struct {
	Repository   pipeline.Slug
	Environments []pipeline.EnvironmentRule
	// Workflows are the paths of the workflow files in the checkout.
	Workflows []string
	// Secrets and Variables have to be there. Each element is a list of names of which one is enough.
	Secrets, Variables [][]string
	// Job: doctor runs in Actions, and its GITHUB_TOKEN has the permissions of its own job only.
	Job bool
}

// budget is how many requests the checks of a manager send at most.
const budget = 12

// Manager looks at the repository of the manager.
func (d Doctor) Manager(ctx context.Context, a Access, m Manager) []Check {
	if a.GitHub == nil {
		return []Check{missingToken("manager.repository", m.Repository.String(), a.Name)}
	}
	r, repository, err := d.open(ctx, a, m.Repository)
	checks := d.clock(a)
	if err != nil {
		return append(checks, unseen("manager.repository", m.Repository.String(), a, m.Repository, err)...)
	}
	checks = append(checks, d.Token(a)...)
	l := look{Doctor: d, access: a, rights: r, repository: repository, manager: m, left: budget - 1}
	checks = append(checks, l.repositoryCheck()...)
	checks = append(checks, l.ruleset(ctx)...)
	checks = append(checks, l.workflows(ctx)...)
	checks = append(checks, l.settings(ctx)...)
	checks = append(checks, l.names(ctx)...)
	checks = append(checks, l.subject(ctx)...)
	checks = append(checks, l.environments(ctx)...)
	checks = append(checks, l.workflowToken(ctx)...)
	return append(checks, l.permissions(ctx)...)
}

// look is one look at a manager's repository.
type look struct {
	Doctor
	access     Access
	rights     *rights
	repository Repository
	manager    Manager
	left       int // requests
}

func (l *look) subjectName() string { return l.repository.Slug.String() }

func (l *look) check(id string, state State, evidence, remedy string) []Check {
	return []Check{{ID: id, Subject: l.subjectName(), State: state, Evidence: evidence, Remedy: remedy}}
}

func (l *look) unread(id, needs string, err error) []Check {
	return []Check{unread(id, l.subjectName(), l.access, needs, err)}
}

func (l *look) repositoryCheck() []Check {
	if l.repository.Archived {
		return l.check("manager.repository", Fail, "it is archived, so no workflow runs", "unarchive it")
	}
	return l.check("manager.repository", OK, fmt.Sprintf("id %d, default branch %s", l.repository.ID, l.repository.DefaultBranch), "")
}

// protecting are the rules that keep a push away from the default branch.
var protecting = []string{"pull_request", "update", "merge_queue"}

func (l *look) ruleset(ctx context.Context) []Check {
	l.left--
	rules, err := l.access.GitHub.BranchRules(ctx, l.repository.Slug, l.repository.DefaultBranch)
	if err != nil {
		return l.unread("manager.ruleset", "metadata: read", err)
	}
	slices.Sort(rules)
	rules = slices.Compact(rules)
	evidence := "rules of " + l.repository.DefaultBranch + ": " + strings.Join(rules, ", ")
	if slices.ContainsFunc(rules, func(rule string) bool { return slices.Contains(protecting, rule) }) {
		if slices.Contains(rules, "non_fast_forward") {
			return l.check("manager.ruleset", OK, evidence, "")
		}
		return l.check("manager.ruleset", Warn, evidence, "add the rule that blocks force pushes")
	}
	if len(rules) == 0 {
		evidence = "no ruleset holds for " + l.repository.DefaultBranch + "; older branch protection is not shown here"
	}
	return l.check("manager.ruleset", Fail, evidence, "add a ruleset for the default branch that requires a pull request: each token that may send requests may also push")
}

func (l *look) workflows(ctx context.Context) []Check {
	l.left--
	list, err := l.access.GitHub.Workflows(ctx, l.repository.Slug)
	l.rights.note("actions", "read", err)
	if err != nil {
		return l.unread("manager.workflow-state", "actions: read", err)
	}
	return workflowStates("manager.workflow-state", l.subjectName(), list, l.manager.Workflows)
}

// workflowStates compares what GitHub runs with the files that have to be there.
func workflowStates(id, subject string, list []Workflow, files []string) (checks []Check) {
	var good []string
	for _, file := range files {
		i := slices.IndexFunc(list, func(w Workflow) bool { return w.Path == file })
		switch {
		case i < 0:
			checks = append(checks, Check{ID: id, Subject: subject, State: Fail, Evidence: "GitHub knows no workflow " + file, Remedy: "push the file to the default branch"})
		case list[i].State != "active":
			remedy := "enable it on the page Actions of the repository"
			if list[i].State == "disabled_inactivity" {
				remedy += "; GitHub disables schedules after 60 days without activity"
			}
			checks = append(checks, Check{ID: id, Subject: subject, State: Fail, Evidence: file + " is " + list[i].State, Remedy: remedy})
		default:
			good = append(good, path.Base(file))
		}
	}
	if len(good) > 0 {
		checks = append(checks, Check{ID: id, Subject: subject, State: OK, Evidence: "active: " + strings.Join(good, ", ")})
	}
	return checks
}

func (l *look) settings(ctx context.Context) []Check {
	if l.isJob() {
		return []Check{l.notForJobs("manager.actions", "administration: read")}
	}
	l.left--
	p, err := l.access.GitHub.ActionsPermissions(ctx, l.repository.Slug)
	switch {
	case err != nil:
		return l.unread("manager.actions", "administration: read", err)
	case !p.Enabled:
		return l.check("manager.actions", Fail, "Actions is off", "enable it in Settings → Actions → General")
	case p.Allowed == "local_only":
		return l.check("manager.actions", Fail, "only actions of this owner are allowed", "allow the actions that the workflows use: actions/*, aws-actions/* and that of metapipe")
	case p.Allowed == "selected":
		return l.check("manager.actions", Warn, "only selected actions are allowed", "check that those which the workflows use are among them")
	}
	return l.check("manager.actions", OK, "on", "")
}

// isJob: the GITHUB_TOKEN of a job has no permission for settings.
func (l *look) isJob() bool { return l.manager.Job && l.access.GitHub.Credential().Kind == Job }

func (l *look) notForJobs(id, needs string) Check {
	return Check{ID: id, Subject: l.subjectName(), State: Unknown, Evidence: "the GITHUB_TOKEN of a job cannot read it", Needs: needs + " of another token",
		Remedy: "run doctor on your machine, as someone with this permission"}
}

func (l *look) workflowToken(ctx context.Context) []Check {
	const id = "manager.workflow-token"
	switch {
	case l.isJob():
		return []Check{l.notForJobs(id, "administration: read")}
	case l.left < 1:
		return nil // every shipped workflow names its permissions, so this matters least
	}
	l.left--
	p, err := l.access.GitHub.WorkflowPermissions(ctx, l.repository.Slug)
	switch {
	case err != nil:
		return l.unread(id, "administration: read", err)
	case p.Token == "write" || p.Approves:
		return l.check(id, Warn, fmt.Sprintf("a job without permissions can %s; approving pull requests: %t", p.Token, p.Approves),
			"set Workflow permissions to read, without approvals, in Settings → Actions → General")
	}
	return l.check(id, OK, "a job without permissions can read", "")
}

func (l *look) names(ctx context.Context) (checks []Check) {
	if l.isJob() {
		return []Check{l.notForJobs("manager.secrets", "secrets: read"), l.notForJobs("manager.variables", "variables: read")}
	}
	l.left -= 2
	secrets, err := l.access.GitHub.SecretNames(ctx, l.repository.Slug)
	checks = append(checks, l.named("manager.secrets", "secret", "secrets: read", l.manager.Secrets, secrets, err)...)
	variables, err := l.access.GitHub.Variables(ctx, l.repository.Slug)
	var have []string
	for name := range variables {
		have = append(have, name)
	}
	sort.Strings(have)
	return append(checks, l.named("manager.variables", "variable", "variables: read", l.manager.Variables, have, err)...)
}

// named compares names with those that have to be there.
func (l *look) named(id, what, permission string, needed [][]string, have []string, err error) []Check {
	if err != nil {
		return l.unread(id, permission, err)
	}
	return namedIn(id, l.subjectName(), what, needed, have, l.repository.Organization)
}

func namedIn(id, subject, what string, needed [][]string, have []string, organization bool) (checks []Check) {
	for _, names := range needed {
		if slices.ContainsFunc(names, func(name string) bool { return sameFold(have, name) }) {
			continue
		}
		c := Check{ID: id, Subject: subject, State: Fail, Evidence: fmt.Sprintf("the repository has no %s %s", what, strings.Join(names, " or ")), Remedy: fmt.Sprintf("set the %s in Settings → Secrets and variables → Actions", what)}
		if organization {
			c.State = Warn
			c.Evidence += "; it can be one of the organization"
		}
		checks = append(checks, c)
	}
	if len(checks) == 0 {
		evidence := fmt.Sprintf("all %d that are needed are there", len(needed))
		if len(needed) == 0 {
			evidence = "none is needed"
		}
		checks = []Check{{ID: id, Subject: subject, State: OK, Evidence: evidence}}
	}
	return checks
}

func (l *look) subject(ctx context.Context) []Check {
	l.left--
	claim, err := l.access.GitHub.SubjectClaim(ctx, l.repository.Slug)
	l.rights.note("actions", "read", err)
	switch {
	case err != nil:
		return l.unread("oidc.subject", "actions: read", err)
	case !claim.Default:
		return l.check("oidc.subject", Warn, "the repository forms the subject from "+strings.Join(claim.Keys, ", "),
			"print the trust policies of the roles anew with `metapipe bootstrap roles`, and compare them")
	case claim.Prefix != "":
		return l.check("oidc.subject", OK, "subjects begin with "+claim.Prefix, "")
	}
	return l.check("oidc.subject", OK, "GitHub's own form", "")
}

func (l *look) permissions(ctx context.Context) []Check {
	checks := l.rights.checks(ctx)
	if l.isJob() { // the jobs of the workflows have permissions of their own
		for i := range checks {
			if checks[i].State == Fail {
				checks[i].State = Warn
				checks[i].Evidence += " (this is the token of the job that runs doctor)"
			}
		}
	}
	return checks
}

// environments compares each environment with metapipe.yml. Gates come first, since the number of requests is bounded.
func (l *look) environments(ctx context.Context) (checks []Check) {
	l.left--
	list, err := l.access.GitHub.Environments(ctx, l.repository.Slug)
	l.rights.note("actions", "read", err)
	if err != nil {
		c := unread("environment.exists", l.subjectName(), l.access, "actions: read", err)
		if pipeline.NotVisible(err) {
			c.State = Fail
			c.Needs = ""
			c.Remedy = "GitHub Free has no environments in private repositories: use GitHub Team or Enterprise, or a public repository"
		}
		return []Check{c}
	}
	for _, work := range []string{"-apply", "-plan"} {
		for _, rule := range l.manager.Environments {
			name := string(rule.Name) + work
			i := slices.IndexFunc(list, func(e Environment) bool { return strings.EqualFold(e.Name, name) })
			if i < 0 {
				checks = append(checks, Check{ID: "environment.exists", Subject: name, State: Fail, Evidence: "it is not there: the first job that names it makes it without rules",
					Remedy: "create it with its rules: `metapipe init --github` does so"})
				continue
			}
			checks = append(checks, Check{ID: "environment.exists", Subject: name, State: OK, Evidence: "it is there"})
			if work == "-apply" {
				checks = append(checks, l.gate(list[i], rule)...)
			}
			checks = append(checks, l.branches(ctx, list[i])...)
		}
	}
	return checks
}

// gate compares the rules of an apply environment.
func (l *look) gate(e Environment, rule pipeline.EnvironmentRule) (checks []Check) {
	add := func(id string, good bool, evidence, remedy string) {
		c := Check{ID: id, Subject: e.Name, State: OK, Evidence: evidence}
		if !good {
			c.State, c.Remedy = Fail, remedy
		}
		checks = append(checks, c)
	}
	if rule.Gated {
		remedy := "add required reviewers in Settings → Environments"
		if l.repository.Private {
			remedy += "; private repositories need GitHub Enterprise for that"
		}
		add("environment.reviewers", e.Reviewers > 0, fmt.Sprintf("%d reviewers, and metapipe.yml says gated", e.Reviewers), remedy)
		bypass := Check{ID: "environment.bypass", Subject: e.Name, State: OK, Evidence: "administrators cannot pass the gate"}
		switch {
		case e.Bypass == nil:
			bypass.State, bypass.Evidence = Unknown, "GitHub does not say whether administrators can pass the gate"
		case *e.Bypass:
			bypass.State, bypass.Evidence = Fail, "administrators can pass the gate, without a recorded approval"
			bypass.Remedy = "clear “Allow administrators to bypass configured protection rules”"
		}
		checks = append(checks, bypass)
	}
	if rule.WaitTimer > 0 {
		add("environment.wait-timer", e.Wait >= rule.WaitTimer, fmt.Sprintf("%s, and metapipe.yml asks for %s", minutes(e.Wait), minutes(rule.WaitTimer)), "set the wait timer in Settings → Environments")
	}
	if rule.PreventSelfReview && !e.PreventSelfReview {
		checks = append(checks, Check{ID: "environment.self-review", Subject: e.Name, State: Warn, Evidence: "GitHub lets requesters approve; apply refuses such an approval",
			Remedy: "select “Prevent self-review”, so that requesters see it before they approve"})
	}
	return checks
}

func minutes(d time.Duration) string { return fmt.Sprintf("%d minutes", int(d.Minutes())) }

// branches says which branches can deploy to an environment.
func (l *look) branches(ctx context.Context, e Environment) []Check {
	c := Check{ID: "environment.branches", Subject: e.Name, State: OK}
	remedy := "allow the default branch only, in Settings → Environments"
	switch e.Branches {
	case AnyBranch:
		c.State, c.Evidence, c.Remedy = Fail, "every branch can deploy, so a token that can push reaches its secrets and roles", remedy
		return []Check{c}
	case ProtectedBranches:
		c.State, c.Evidence, c.Remedy = Warn, "protected branches can deploy; where no branch has a protection rule, every branch can", remedy
		return []Check{c}
	}
	if l.left < 1 {
		c.State, c.Evidence, c.Remedy = Unknown, fmt.Sprintf("not read: doctor asks about a manager at most %d times", budget), "look at the branches in Settings → Environments"
		return []Check{c}
	}
	l.left--
	list, err := l.access.GitHub.DeploymentBranches(ctx, l.repository.Slug, e.Name)
	if err != nil {
		return []Check{unread(c.ID, e.Name, l.access, "actions: read", err)}
	}
	c.Evidence = "can deploy: " + strings.Join(list, ", ")
	switch {
	case len(list) == 0:
		c.State, c.Evidence, c.Remedy = Fail, "no branch can deploy", remedy
	case !slices.ContainsFunc(list, func(p string) bool { hit, err := path.Match(p, l.repository.DefaultBranch); return err == nil && hit }):
		c.State, c.Remedy = Fail, "add the default branch "+l.repository.DefaultBranch
	case len(list) > 1 || list[0] != l.repository.DefaultBranch:
		c.State, c.Remedy = Warn, remedy
	}
	return []Check{c}
}
