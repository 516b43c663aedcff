package doctor

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
)

// Right is a permission that a command needs of a token.
type Right struct {
	Command    string // such as report
	Token      string // the variable of the token
	Permission string // as in GitHub's API
	Level      string // read or write
	// Organization: it is one of the organization, and not of a repository.
	Organization bool
	// For says what of the command needs it; empty: each run.
	For string
}

// The variables of tokens.
const (
	ManagerToken = "MANAGER_REPO_PAT" //nolint:gosec // the name of a variable
	SourceToken  = "SOURCE_REPOS_PAT" //nolint:gosec // likewise
	OwnToken     = "GITHUB_TOKEN"     //nolint:gosec // likewise
)

// rightsOf is one row of docs/SETUP.md: its table is compared with this one by a test.
func rightsOf(command, token string, permissions ...string) (rights []Right) {
	for _, p := range permissions {
		name, level, _ := strings.Cut(p, "=")
		r := Right{Command: command, Token: token, Permission: name, Level: level}
		r.Organization = name == "members" || name == "organization_custom_properties"
		rights = append(rights, r)
	}
	return rights
}

// Rights are the permissions of every command.
func Rights() []Right {
	return slices.Concat(
		rightsOf("trigger", OwnToken, "contents=read", "deployments=read", "pull_requests=read", "statuses=write"),
		rightsOf("trigger", ManagerToken, "contents=write"),
		rightsOf("forward", ManagerToken, "contents=write"),
		rightsOf("fetch-vars", SourceToken, "actions=read", "contents=read", "deployments=read", "pull_requests=read", "statuses=write"),
		rightsOf("fetch-vars", OwnToken, "actions=write", "contents=read"),
		rightsOf("apply", OwnToken, "actions=read"),
		rightsOf("report", SourceToken, "deployments=write", "pull_requests=write", "statuses=write"),
		rightsOf("sweep", SourceToken, "deployments=write", "pull_requests=write", "statuses=write"),
		rightsOf("sweep", OwnToken, "actions=write"),
		rightsOf("unlock", OwnToken, "actions=read"),
		rightsOf("drift", SourceToken, "contents=read", "deployments=read", "issues=write"),
		rightsOf("drift", OwnToken, "actions=write"),
		rightsOf("properties", SourceToken, "metadata=read", "organization_custom_properties=write"),
		rightsOf("compliance", SourceToken, "contents=read", "issues=write", "members=read", "metadata=read", "organization_custom_properties=write"),
		rightsOf("compliance", OwnToken, "issues=write"),
		rightsOf("sync", SourceToken, "contents=read", "members=read", "metadata=read", "organization_custom_properties=write"),
		rightsOf("onboard", OwnToken, "contents=write", "pull_requests=write"),
		only("--tier, --tools", "organization_custom_properties", only("--required-check", "administration",
			rightsOf("onboard", SourceToken, "administration=write", "contents=write", "organization_custom_properties=write", "pull_requests=write", "secrets=write", "actions_variables=write", "workflows=write"))),
		rightsOf("offboard", OwnToken, "contents=write", "pull_requests=write"),
		only("of --tier, --tools", "organization_custom_properties", only("of --required-check", "administration",
			rightsOf("offboard", SourceToken, "administration=write", "contents=write", "organization_custom_properties=write", "pull_requests=write", "secrets=write", "actions_variables=write"))),
	)
}

// only says what of a command a permission is for.
func only(what, permission string, list []Right) []Right {
	for i := range list {
		if list[i].Permission == permission {
			list[i].For = what
		}
	}
	return list
}

// need is one permission of a token at its highest level, with the commands that need each level.
type need struct {
	permission    string
	read, written []string // commands
	optional      bool     // no command needs it in each run
}

func (n need) level() string {
	if len(n.written) > 0 {
		return "write"
	}
	return "read"
}

// needsOf sums up what commands need of a token in a repository, permission by permission.
func needsOf(a Access) []need { return sumUp(cmp.Or(a.As, a.Name), a.Commands, false) }

// organizationNeeds are those of an organization.
func organizationNeeds(a Access) []need { return sumUp(cmp.Or(a.As, a.Name), a.Commands, true) }

func sumUp(token string, commands []string, organization bool) []need {
	var list []need
	for _, r := range Rights() {
		if r.Token != token || r.Organization != organization || r.Permission == "metadata" || !slices.Contains(commands, r.Command) {
			continue
		}
		i := slices.IndexFunc(list, func(n need) bool { return n.permission == r.Permission })
		if i < 0 {
			i = len(list)
			list = append(list, need{permission: r.Permission, optional: true})
		}
		command := r.Command
		if r.For != "" {
			command += " (" + r.For + ")"
		}
		list[i].optional = list[i].optional && r.For != ""
		if r.Level == "write" {
			list[i].written = append(list[i].written, command)
		} else {
			list[i].read = append(list[i].read, command)
		}
	}
	slices.SortFunc(list, func(a, b need) int { return cmp.Compare(a.permission, b.permission) })
	return list
}

// Access is a token and how it is called.
type Access struct {
	Name   string // of its variable; "the GitHub App" for an App
	GitHub GitHub // nil where there is no such token
	App    bool
	// Commands need this token here.
	Commands []string
	// As is the token in whose place it is used; empty: it is that of its name.
	As string
	// Reads tries to read also what the commands only need to write: who may write may read.
	Reads bool
}

// rights is what was found about the permissions of a token in one repository.
type rights struct {
	access     Access
	repository Repository
	app        *Installation
	// seen is what requests have shown so far, by permission and level.
	seen  map[string]error
	probe bool
}

func newRights(a Access, probe bool) *rights {
	return &rights{access: a, seen: map[string]error{}, probe: probe}
}

// note remembers the answer to a request that needs a permission.
func (r *rights) note(permission, level string, err error) {
	if _, forbidden := lacking(err); err != nil && !forbidden {
		return // it says nothing of the permission
	}
	r.seen[permission+"="+level] = err
}

// checks says of each permission whether the token has it.
func (r *rights) checks(ctx context.Context) []Check {
	subject := r.access.Name + " in " + r.repository.Slug.String()
	if r.repository.Archived {
		return nil // GitHub refuses every write, whatever the token may do
	}
	credential := r.access.GitHub.Credential()
	if r.app == nil && credential.Kind == Classic {
		return r.ofScopes(subject, credential.Scopes)
	}
	var checks []Check
	for _, n := range needsOf(r.access) {
		state, evidence := r.one(ctx, n)
		c := Check{ID: "token.permission", Subject: subject, State: state, Evidence: evidence}
		if state != OK {
			c.Needs = needs(n, state == Fail && strings.HasPrefix(evidence, "read"), r.access.Name)
			if state == Fail && n.optional {
				c.State = Warn
			}
			c.Remedy = fmt.Sprintf("give %s the permission %s for %s", r.access.Name, Permission(n.permission, n.level()), r.repository.Slug)
		}
		if state == Unknown {
			c.Remedy = "run doctor with --probe, or compare the settings of the token with the needs"
			if n.permission == unshown {
				c.Remedy = "look for it in the settings of the token"
			}
		}
		checks = append(checks, c)
	}
	return checks
}

// needs names the permission, the token and the commands.
func needs(n need, all bool, token string) string {
	commands := slices.Clone(n.written)
	if all || len(commands) == 0 {
		commands = append(commands, n.read...)
	}
	slices.Sort(commands)
	commands = slices.Compact(commands)
	return fmt.Sprintf("%s of %s, for %s", Permission(n.permission, n.level()), token, strings.Join(commands, ", "))
}

// Permission is a permission in the words of GitHub's pages and of workflow files.
func Permission(name, level string) string {
	return strings.ReplaceAll(strings.TrimPrefix(name, "actions_"), "_", "-") + ": " + level
}

// one looks at a permission. The evidence begins with "read" where the token cannot even read.
func (r *rights) one(ctx context.Context, n need) (State, string) {
	if r.app != nil {
		return r.ofApp(n)
	}
	if n.permission == unshown {
		return Unknown, "no request shows whether a token may write workflow files"
	}
	level := n.level()
	if level == "write" && r.probe {
		state, evidence := r.answered(ctx, n, "write")
		// Comments need issues or pull_requests, so that one of them can hide that the other is missing.
		if (state == Fail || n.permission == "pull_requests") && r.triesRead(n) {
			if readable, why := r.answered(ctx, n, "read"); readable == Fail {
				return Fail, why
			}
		}
		return state, evidence
	}
	if !r.repository.Private && level == "read" {
		return OK, "the repository is public"
	}
	if r.triesRead(n) { // a token that cannot read cannot write either
		state, evidence := r.answered(ctx, n, "read")
		if state != OK || level == "read" {
			return state, evidence
		}
	}
	return Unknown, "GitHub does not show whether this token can write; --probe finds out"
}

// unshown is the permission that no harmless request needs.
const unshown = "workflows"

// hidden are permissions without which a token does not read a public repository either.
var hidden = []string{"actions_variables", "administration", "secrets"}

// triesRead reports whether a read says anything of the permission, beside what it is needed for.
func (r *rights) triesRead(n need) bool {
	return (len(n.read) > 0 || r.access.Reads) && (r.repository.Private || slices.Contains(hidden, n.permission))
}

// ofApp reads the permissions of the installation.
func (r *rights) ofApp(n need) (State, string) {
	have := r.app.Permissions[n.permission]
	switch {
	case have == "" && n.level() == "read", have == "" && len(n.read) > 0:
		return Fail, "read: the installation has no permission " + Permission(n.permission, "read")
	case n.level() == "write" && have != "write" && have != "admin":
		return Fail, "the installation has no permission " + Permission(n.permission, "write")
	}
	return OK, "the installation has " + Permission(n.permission, have)
}

// answered asks GitHub, unless an answer is known.
func (r *rights) answered(ctx context.Context, n need, level string) (State, string) {
	key := n.permission + "=" + level
	err, known := r.seen[key]
	if !known {
		err = r.access.GitHub.Try(ctx, r.repository.Slug, n.permission, level)
	}
	_, forbidden := lacking(err)
	switch {
	case err == nil:
		return OK, "GitHub accepts " + Permission(n.permission, level)
	case forbidden && level == "read":
		return Fail, "read is refused: " + firstLine(err)
	case forbidden:
		return Fail, "GitHub refuses: " + firstLine(err)
	}
	return Unknown, firstLine(err)
}

// ofScopes is for tokens with scopes: the scope repo holds every permission but that for workflow files, as far as the user has it.
func (r *rights) ofScopes(subject string, scopes []string) []Check {
	c := Check{ID: "token.permission", Subject: subject, State: OK, Evidence: "scopes: " + cmp.Or(strings.Join(scopes, ", "), "none")}
	var writes, files bool
	var administered string
	for _, n := range needsOf(r.access) {
		writes = writes || len(n.written) > 0
		files = files || n.permission == unshown
		if n.permission == "administration" && len(n.written) > 0 {
			administered = strings.Join(n.written, ", ")
		}
	}
	commands := strings.Join(r.access.Commands, ", ")
	switch full := slices.Contains(scopes, "repo"); {
	case !full && (r.repository.Private || !slices.Contains(scopes, "public_repo")):
		c.State, c.Needs = Fail, fmt.Sprintf("scope repo of %s, for %s", r.access.Name, commands)
		c.Remedy = "make a token with the scope repo, or better a fine-grained one"
	case files && !slices.Contains(scopes, "workflow"):
		c.State, c.Needs = Fail, fmt.Sprintf("scope workflow of %s, for %s", r.access.Name, commands)
		c.Remedy = "make a token with the scopes repo and workflow, or better a fine-grained one"
	case writes && !r.repository.Push:
		c.State, c.Needs = Fail, fmt.Sprintf("write access of the user of %s, for %s", r.access.Name, commands)
		c.Evidence += "; its user cannot write to the repository"
		c.Remedy = "give the user the role Write in " + r.repository.Slug.String()
	case administered != "" && !r.repository.Admin:
		c.State, c.Needs = Warn, fmt.Sprintf("the role Admin of the user of %s, for %s", r.access.Name, administered)
		c.Evidence += "; its user cannot change the settings of the repository"
		c.Remedy = "give the user the role Admin in " + r.repository.Slug.String()
	}
	return []Check{c}
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
