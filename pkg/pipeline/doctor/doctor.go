package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Doctor looks at a manager and its customers on GitHub.
type Doctor struct {
	// Probe sends writes that GitHub has to refuse, to see which permissions a token has.
	Probe bool
	// Now is the clock.
	Now func() time.Time
}

const (
	// soonExpired is how long before its end a token is named.
	soonExpired = 14 * 24 * time.Hour
	// wrongClock is the difference from which signatures fail, and slowClock the one from which they soon will.
	wrongClock, slowClock = 5 * time.Minute, time.Minute
)

// Token says what the answers so far have shown of a token.
func (d Doctor) Token(a Access) []Check {
	c := a.GitHub.Credential()
	kind := Check{ID: "token.kind", Subject: a.Name, State: OK, Evidence: map[TokenKind]string{
		Classic: "a token with scopes", FineGrained: "a fine-grained token", App: "a GitHub App", Job: "a token of a job or of an App"}[c.Kind]}
	if c.Kind == Classic && a.Name == ManagerToken {
		kind.State = Warn
		kind.Evidence += ": whoever has it reaches every repository of its user"
		kind.Remedy = "replace it with a fine-grained token for one repository, with contents: write"
	}
	end := Check{ID: "token.expiry", Subject: a.Name, State: OK, Evidence: "GitHub names no end"}
	switch {
	case c.Kind == App:
		end.Evidence = "the key of the App does not end; its tokens last an hour"
	case c.Kind == Job:
		end.Evidence = "it ends with its job, or within an hour"
	case !c.Expires.IsZero():
		end.Evidence = "it ends " + c.Expires.Format("2006-01-02 15:04 MST")
		if c.Expires.Sub(d.Now()) < soonExpired {
			end.State, end.Remedy = Warn, "renew it, and store the new one as "+a.Name
		}
	}
	return []Check{kind, end}
}

// clock compares this machine with GitHub.
func (d Doctor) clock(a Access) []Check {
	c := a.GitHub.Credential()
	if c.Now.IsZero() {
		return nil
	}
	off := c.Here.Sub(c.Now).Round(time.Second)
	check := Check{ID: "clock", Subject: "this machine", State: OK, Evidence: fmt.Sprintf("%s from GitHub's", off.Abs())}
	if off.Abs() >= slowClock {
		check.State, check.Remedy = Warn, "set the clock of this machine by NTP: ID tokens, AWS signatures and App keys depend on it"
	}
	if off.Abs() >= wrongClock {
		check.State = Fail
	}
	return []Check{check}
}

// unread is a check whose request failed. needs is the permission for people, such as "administration: read".
func unread(id, subject string, a Access, needs string, err error) Check {
	c := Check{ID: id, Subject: subject, State: Unknown, Evidence: firstLine(err)}
	permission, forbidden := lacking(err)
	switch {
	case planned(err):
		c.State = Fail
		c.Remedy = "the plan of the repository's owner has no such protection for private repositories: use GitHub Team or Enterprise, or a public repository"
	case rejected(err):
		c.State, c.Remedy = Fail, "make a new token, and store it as "+a.Name
	case forbidden:
		c.Needs = readable(permission) + " of " + a.Name
		c.Remedy = "give the token this permission, or look at the settings of the repository"
	case needs != "":
		c.Needs = needs + " of " + a.Name
		c.Remedy = "give the token this permission, or look at the settings of the repository"
	}
	return c
}

// readable turns "administration=read" into the words of GitHub's pages.
func readable(permissions string) string {
	var out []string
	for _, p := range strings.Split(permissions, ";") {
		name, level, _ := strings.Cut(strings.TrimSpace(p), "=")
		out = append(out, Permission(name, level))
	}
	return strings.Join(out, " or ")
}

// unseen says that a repository could not be read, and why as far as that is known.
func unseen(id, subject string, a Access, slug pipeline.Slug, err error) []Check {
	c := Check{ID: id, Subject: subject, State: Unknown, Evidence: firstLine(err)}
	switch {
	case rejected(err):
		return []Check{{ID: "token.expiry", Subject: a.Name, State: Fail, Evidence: firstLine(err), Remedy: "make a new token, and store it as " + a.Name},
			{ID: id, Subject: subject, State: Unknown, Evidence: a.Name + " is not accepted"}}
	case pipeline.NotVisible(err), strings.Contains(err.Error(), "single sign-on"), strings.Contains(err.Error(), "access restrictions"):
		c.State = Fail
		c.Needs = fmt.Sprintf("access of %s to %s", a.Name, slug)
		c.Remedy = "check the name; add the repository to the token or to the installation of the App. An organization can also restrict third-party access, and ask " +
			"for the approval of fine-grained tokens or for single sign-on"
		if next := nextOf(err); next != "" && strings.Contains(next, "single sign-on") {
			c.Remedy = next
		}
	}
	return []Check{c}
}

func nextOf(err error) string {
	_, next, _ := strings.Cut(err.Error(), "\n→ ")
	return next
}

// missingToken says that a token is not there at all.
func missingToken(id, subject string, name string) Check {
	return Check{ID: id, Subject: subject, State: Unknown, Evidence: name + " is not set", Needs: name, Remedy: "export " + name + ", and run doctor again"}
}

// sameFold reports whether a list has a name, without regard to case.
func sameFold(list []string, name string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, name) })
}

// open reads a repository, and begins what is known of the token there.
func (d Doctor) open(ctx context.Context, a Access, slug pipeline.Slug) (*rights, Repository, error) {
	if a.GitHub == nil {
		return nil, Repository{}, errors.New(a.Name + " is not set")
	}
	r := newRights(a, d.Probe)
	var err error
	r.repository, err = a.GitHub.Settings(ctx, slug)
	return r, r.repository, err
}

// Organization looks at the permissions of a token in an organization, for commands that read whole organizations.
func (d Doctor) Organization(ctx context.Context, a Access, org string) (checks []Check) {
	if a.GitHub == nil || a.App {
		return nil
	}
	subject := a.Name + " in " + org
	for _, n := range organizationNeeds(a) {
		c := Check{ID: "token.permission", Subject: subject}
		level := n.level()
		if level == "write" && !d.Probe {
			level = "read"
		}
		err := a.GitHub.TryOrganization(ctx, org, n.permission, level)
		_, forbidden := lacking(err)
		switch {
		case err == nil && level == n.level():
			c.State, c.Evidence = OK, "GitHub accepts "+Permission(n.permission, level)
		case err == nil:
			c.State, c.Evidence = Unknown, "GitHub does not show whether this token can write; --probe finds out"
		case forbidden || pipeline.NotVisible(err):
			c.State, c.Evidence = Fail, "GitHub refuses: "+firstLine(err)
			if n.optional {
				c.State = Warn
			}
		default:
			c.State, c.Evidence = Unknown, firstLine(err)
		}
		if c.State != OK {
			c.Needs = needs(n, true, a.Name)
			c.Remedy = "give the token this permission of the organization"
			if a.GitHub.Credential().Kind == Classic {
				c.Remedy = "give the token the scope admin:org, or read:org where it only reads, of an owner of the organization"
			}
		}
		checks = append(checks, c)
	}
	return checks
}

// Operator looks at the permissions of a token in a repository, for commands that a person runs there now and then.
func (d Doctor) Operator(ctx context.Context, a Access, repo pipeline.Slug) []Check {
	if a.GitHub == nil {
		return []Check{missingToken("token.permission", a.Name+" in "+repo.String(), a.Name)}
	}
	var app *Installation
	if a.App {
		found, err := a.GitHub.Installation(ctx, repo)
		if err != nil {
			return unseen("customer.app", repo.String(), a, repo, err)
		}
		app = &found
	}
	r, repository, err := d.open(ctx, a, repo)
	if err != nil {
		return unseen("customer.repository", repo.String(), a, repo, err)
	}
	r.app = app
	if repository.Archived {
		return []Check{{ID: "customer.repository", Subject: repo.String(), State: Fail, Evidence: "it is archived, so nothing can be written", Remedy: "unarchive it"}}
	}
	return r.checks(ctx)
}
