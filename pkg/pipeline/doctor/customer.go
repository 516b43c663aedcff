package doctor

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Customer is what is looked at in the repository of a customer.
type Customer struct {
	Name       string
	Repository pipeline.Slug // as its file says
	ID         int64
	Path       string // the directory of variables.yml
	// Workflow is the path of the workflow that sends requests, and Shipped the git ids of the file in this version.
	Workflow string
	Shipped  []pipeline.SHA
	// Manager is what the customer's variables have to name; zero: not known.
	Manager pipeline.Slug
	Inbox   bool // requests go to an inbox
	// Offboarded customers need nothing any more.
	Offboarded bool

	// Variables checks variables.yml; Properties the custom properties; Files the names of all files.
	Variables  func(file string, content []byte) pipeline.Problems
	Properties func(pipeline.Properties) pipeline.Problems
	Files      func(files []TreeFile, properties pipeline.Properties) (evidence string, problems pipeline.Problems)
}

// Customer looks at the repository of a customer with the provider's token.
func (d Doctor) Customer(ctx context.Context, a Access, c Customer) []Check {
	v := visit{Doctor: d, access: a, customer: c}
	if c.Offboarded {
		return []Check{v.check("customer.repository", OK, "the customer is offboarded: nothing was looked at", "")}
	}
	if a.GitHub == nil {
		return []Check{missingToken("customer.repository", v.subject(), a.Name)}
	}
	var checks []Check
	var app *Installation
	if a.App {
		found, err := a.GitHub.Installation(ctx, c.Repository)
		checks = append(checks, v.installation(found, err)...)
		if err != nil || found.Suspended {
			return checks
		}
		app = &found
	}
	r, repository, err := d.open(ctx, a, c.Repository)
	if err != nil {
		return append(checks, unseen("customer.repository", v.subject(), a, c.Repository, err)...)
	}
	r.app, v.repository, v.rights = app, repository, r
	checks = append(checks, v.identity()...)
	checks = append(checks, v.files(ctx)...)
	checks = append(checks, v.workflow(ctx)...)
	checks = append(checks, v.properties()...)
	checks = append(checks, v.names(ctx)...)
	return append(checks, r.checks(ctx)...)
}

// visit is one look at a customer's repository.
type visit struct {
	Doctor
	access     Access
	customer   Customer
	rights     *rights
	repository Repository
}

func (v *visit) subject() string {
	if v.customer.Name == "" {
		return v.customer.Repository.String()
	}
	return v.customer.Name + " (" + v.customer.Repository.String() + ")"
}

func (v *visit) check(id string, state State, evidence, remedy string) Check {
	return Check{ID: id, Subject: v.subject(), State: state, Evidence: evidence, Remedy: remedy}
}

func (v *visit) installation(found Installation, err error) []Check {
	switch {
	case err != nil && pipeline.NotVisible(err):
		return []Check{v.check("customer.app", Fail, firstLine(err), "ask the customer to install the App on the repository")}
	case err != nil:
		return []Check{unread("customer.app", v.subject(), v.access, "", err)}
	case found.Suspended:
		return []Check{v.check("customer.app", Fail, "the installation is suspended", "ask the customer to unsuspend it in the settings of the account")}
	}
	return []Check{v.check("customer.app", OK, "it is installed", "")}
}

func (v *visit) identity() []Check {
	c := v.customer
	r := v.repository
	identity := v.check("customer.repository", OK, fmt.Sprintf("id %d", r.ID), "")
	switch {
	case c.ID != 0 && r.ID != c.ID:
		identity.State, identity.Evidence = Fail, fmt.Sprintf("the repository of this name has the id %d, and the customer's file says %d: it is another repository", r.ID, c.ID)
		identity.Remedy = "find the repository with `gh api repositories/" + fmt.Sprint(c.ID) + "`, and correct the file"
	case r.Archived:
		identity.State, identity.Evidence, identity.Remedy = Fail, "it is archived: GitHub refuses statuses and comments", "unarchive it, or offboard the customer"
	case r.Fork:
		identity.State, identity.Evidence, identity.Remedy = Warn, "it is a fork: its schedules and secrets are off at first", "use a repository of its own"
	case !strings.EqualFold(r.Slug.Name, c.Repository.Name) && strings.EqualFold(r.Slug.Owner, c.Repository.Owner):
		identity.State, identity.Evidence, identity.Remedy = Warn, "it is called "+r.Slug.String()+" now", "correct `repository` in the customer's file"
	}
	owner := v.check("customer.owner", OK, r.Slug.Owner, "")
	if !strings.EqualFold(r.Slug.Owner, c.Repository.Owner) {
		owner.State, owner.Evidence = Fail, fmt.Sprintf("it belongs to %s now, so its requests are rejected", r.Slug.Owner)
		owner.Remedy = "make sure that the new owner may deploy, then change `repository` in the customer's file"
	}
	return []Check{identity, owner}
}

// files looks at the files of the default branch: two requests.
func (v *visit) files(ctx context.Context) []Check {
	tree, err := v.access.GitHub.Tree(ctx, v.customer.Repository, v.repository.DefaultBranch)
	v.rights.note("contents", "read", err)
	if err != nil {
		var checks []Check
		for _, id := range []string{"customer.path", "customer.variables-file", "customer.workflow", "customer.content-type"} {
			checks = append(checks, unread(id, v.subject(), v.access, "contents: read", err))
		}
		return checks
	}
	checks := v.variablesFile(ctx, tree)
	checks = append(checks, v.workflowFile(tree)...)
	if v.customer.Files == nil {
		return checks
	}
	if tree.Truncated {
		return append(checks, v.check("customer.content-type", Unknown, "GitHub does not list all files of so large a repository", "trigger looks at them in each run"))
	}
	evidence, problems := v.customer.Files(tree.Files, v.repository.Properties)
	return append(checks, v.problems("customer.content-type", evidence, problems))
}

// problems sums up findings in one check.
func (v *visit) problems(id, evidence string, problems pipeline.Problems) Check {
	c := v.check(id, OK, evidence, "")
	for _, p := range problems {
		state := Fail
		if p.Warning {
			state = Warn
		}
		if c.State == OK || c.State == Warn && state == Fail {
			c.State, c.Remedy = state, p.Remedy
			c.Evidence = p.Message
			if p.File != "" {
				c.Evidence = p.Position.String() + ": " + p.Message
			}
		}
	}
	if n := len(problems); n > 1 && c.State != OK {
		c.Evidence += fmt.Sprintf(" (and %d more)", n-1)
	}
	return c
}

func (v *visit) variablesFile(ctx context.Context, tree Tree) []Check {
	file := path.Join(v.customer.Path, pipeline.VariablesFile)
	i := slices.IndexFunc(tree.Files, func(f TreeFile) bool { return f.Path == file })
	switch {
	case i < 0 && tree.Truncated:
		return []Check{v.check("customer.path", Unknown, "GitHub does not list all files of so large a repository", "")}
	case i < 0:
		return []Check{v.check("customer.path", Fail, file+" is not on "+v.repository.DefaultBranch, "write it, or correct `path` in the customer's file: changes elsewhere start nothing")}
	case tree.Files[i].Mode != "100644" && tree.Files[i].Mode != "100755":
		return []Check{v.check("customer.path", Fail, file+" is a link or a submodule", "make it a plain file")}
	}
	checks := []Check{v.check("customer.path", OK, file+" is there", "")}
	if v.customer.Variables == nil {
		return checks
	}
	content, err := v.access.GitHub.Blob(ctx, v.customer.Repository, tree.Files[i].ID)
	if err != nil {
		return append(checks, unread("customer.variables-file", v.subject(), v.access, "contents: read", err))
	}
	return append(checks, v.problems("customer.variables-file", file+" is valid", v.customer.Variables(file, content)))
}

func (v *visit) workflowFile(tree Tree) []Check {
	i := slices.IndexFunc(tree.Files, func(f TreeFile) bool { return f.Path == v.customer.Workflow })
	switch {
	case i < 0 && tree.Truncated:
		return []Check{v.check("customer.workflow", Unknown, "GitHub does not list all files of so large a repository", "")}
	case i < 0:
		return []Check{v.check("customer.workflow", Fail, v.customer.Workflow+" is not on "+v.repository.DefaultBranch, "copy it from workflows/customer of metapipe")}
	case len(v.customer.Shipped) > 0 && !slices.Contains(v.customer.Shipped, tree.Files[i].ID):
		return []Check{v.check("customer.workflow", Warn, v.customer.Workflow+" differs from the one of this version", "compare it with workflows/customer of metapipe, and take over what is new")}
	}
	return []Check{v.check("customer.workflow", OK, "it is the one of this version", "")}
}

func (v *visit) workflow(ctx context.Context) []Check {
	list, err := v.access.GitHub.Workflows(ctx, v.customer.Repository)
	v.rights.note("actions", "read", err)
	if err != nil {
		return []Check{unread("customer.workflow-state", v.subject(), v.access, "actions: read", err)}
	}
	return workflowStates("customer.workflow-state", v.subject(), list, []string{v.customer.Workflow})
}

func (v *visit) properties() []Check {
	if v.customer.Properties == nil {
		return nil
	}
	if !v.repository.Properties.Known() {
		return []Check{v.check("customer.properties", Unknown, "GitHub does not show the custom properties", "run `metapipe properties show`")}
	}
	return []Check{v.problems("customer.properties", "they fit metapipe.yml", v.customer.Properties(v.repository.Properties))}
}

// names looks at secrets and variables, for tokens that may see them.
func (v *visit) names(ctx context.Context) []Check {
	kind := v.access.GitHub.Credential().Kind
	if v.rights.app != nil || kind != Classic || !v.repository.Push {
		seen := func(id, permission string) Check {
			return Check{ID: id, Subject: v.subject(), State: Unknown, Evidence: "not asked: the token needs no such permission for anything else", Needs: permission + " of " + v.access.Name,
				Remedy: "ask the customer to run `metapipe doctor --role customer`"}
		}
		return []Check{seen("customer.secrets", "secrets: read"), seen("customer.variables", "variables: read")}
	}
	return v.ownNames(ctx)
}

// ownNames reads the names of secrets and the variables: two requests.
func (v *visit) ownNames(ctx context.Context) (checks []Check) {
	names, err := v.access.GitHub.SecretNames(ctx, v.customer.Repository)
	if err != nil {
		checks = append(checks, unread("customer.secrets", v.subject(), v.access, "secrets: read", err))
	} else {
		checks = append(checks, namedIn("customer.secrets", v.subject(), "secret", [][]string{{ManagerToken, "METAPIPE_APP_PRIVATE_KEY"}}, names, v.repository.Organization)...)
	}
	variables, err := v.access.GitHub.Variables(ctx, v.customer.Repository)
	if err != nil {
		return append(checks, unread("customer.variables", v.subject(), v.access, "variables: read", err))
	}
	return append(checks, v.named(variables)...)
}

// named compares the variables that name the manager.
func (v *visit) named(variables map[string]string) []Check {
	owner, name := variables["MANAGER_REPO_OWNER"], variables["MANAGER_REPO_NAME"]
	want := v.customer.Manager
	switch {
	case owner == "" || name == "":
		return namedIn("customer.variables", v.subject(), "variable", [][]string{{"MANAGER_REPO_OWNER"}, {"MANAGER_REPO_NAME"}}, keys(variables), v.repository.Organization)
	case want != (pipeline.Slug{}) && !strings.EqualFold(owner+"/"+name, want.String()):
		return []Check{v.check("customer.variables", Fail, fmt.Sprintf("MANAGER_REPO_OWNER and MANAGER_REPO_NAME name %s/%s, and the manager is %s", owner, name, want), "correct the variables")}
	}
	return []Check{v.check("customer.variables", OK, "they name "+owner+"/"+name, "")}
}

func keys(m map[string]string) (names []string) {
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Side looks at a customer's repository from the customer's side: own is the token of the repository itself, and manager
// the one that sends requests.
func (d Doctor) Side(ctx context.Context, own, manager Access, c Customer, to pipeline.Slug) []Check {
	v := visit{Doctor: d, access: own, customer: c}
	var checks []Check
	if own.GitHub == nil {
		checks = append(checks, missingToken("customer.repository", v.subject(), own.Name))
	} else {
		r, repository, err := d.open(ctx, own, c.Repository)
		checks = append(checks, d.clock(own)...)
		if err != nil {
			checks = append(checks, unseen("customer.repository", v.subject(), own, c.Repository, err)...)
		} else {
			v.repository, v.rights = repository, r
			checks = append(checks, d.Token(own)...)
			checks = append(checks, v.identity()...)
			checks = append(checks, v.files(ctx)...)
			checks = append(checks, v.workflow(ctx)...)
			checks = append(checks, v.properties()...)
			checks = append(checks, v.ownNames(ctx)...)
		}
	}
	if manager.GitHub == nil {
		return append(checks, missingToken("token.permission", manager.Name+" in "+to.String(), manager.Name))
	}
	var app *Installation
	if manager.App {
		found, err := manager.GitHub.Installation(ctx, to)
		if err != nil {
			return append(checks, unseen("manager.repository", to.String(), manager, to, err)...)
		}
		app = &found
	}
	r, repository, err := d.open(ctx, manager, to)
	if err != nil {
		return append(checks, unseen("manager.repository", to.String(), manager, to, err)...)
	}
	r.app = app
	checks = append(checks, d.Token(manager)...)
	if repository.Archived {
		checks = append(checks, Check{ID: "manager.repository", Subject: to.String(), State: Fail, Evidence: "it is archived, so no workflow runs", Remedy: "ask your service provider"})
	}
	return append(checks, r.checks(ctx)...)
}
