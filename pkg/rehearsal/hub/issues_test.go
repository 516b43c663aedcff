package hub_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-github/v60/github"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

func TestComments(t *testing.T) {
	t.Parallel()
	s := newFixture(t, hub.Options{})
	api, ctx := s.client("metapipe").Issues, t.Context()
	s.commit(s.customer, "topic", map[string]string{"x": "1"})
	n := got(s.customer.OpenPull(hub.NewPull{Title: "T", Author: "alice", Head: "topic"}))(t)
	body := strings.Repeat("🙂", 65536)
	m, _, err := api.CreateComment(ctx, "acme", "shop", n, &github.IssueComment{Body: &body})
	good(t, err)
	equal(t, "author", m.GetUser().GetLogin()+" "+m.GetUser().GetType(), "metapipe[bot] Bot")
	_, _, err = api.CreateComment(ctx, "acme", "shop", n, &github.IssueComment{Body: github.String(body + "x")})
	equal(t, "too long", status(err), 422)
	_, _, err = api.CreateComment(ctx, "acme", "shop", n, &github.IssueComment{Body: github.String(" \n")})
	equal(t, "blank", status(err), 422)
	s.clock.pass(time.Minute)
	m, _, err = api.EditComment(ctx, "acme", "shop", m.GetID(), &github.IssueComment{Body: github.String("new <b>&")})
	good(t, err)
	equal(t, "edited", m.GetUpdatedAt().After(m.GetCreatedAt().Time), true)
	m, _, err = api.GetComment(ctx, "acme", "shop", m.GetID())
	good(t, err)
	equal(t, "body", m.GetBody(), "new <b>&")
	_, _, err = s.client("job").Issues.CreateComment(ctx, "acme", "shop", n, &github.IssueComment{Body: github.String("other")})
	good(t, err)
	list, _, err := api.ListComments(ctx, "acme", "shop", n, nil)
	good(t, err)
	equal(t, "comments", fmt.Sprintln(len(list), list[0].GetBody()), "2 new <b>&\n")
	_, err = api.DeleteComment(ctx, "acme", "shop", m.GetID())
	good(t, err)
	_, _, err = api.GetComment(ctx, "acme", "shop", m.GetID())
	equal(t, "deleted", status(err), 404)
	_, _, err = api.ListComments(ctx, "acme", "shop", 99, nil)
	equal(t, "unknown issue", status(err), 404)
	snap := s.customer.Snapshot().Pulls[0]
	equal(t, "snapshot", fmt.Sprintln(len(snap.Comments), snap.Comments[0].Author, snap.Title), "1 github-actions[bot] T\n")
}

func TestCommentsOfOthers(t *testing.T) {
	t.Parallel()
	s := newFixture(t, hub.Options{})
	ctx := t.Context()
	i, _, err := s.client("admin").Issues.Create(ctx, "ops", "manager", &github.IssueRequest{Title: github.String("Q")})
	good(t, err)
	m, _, err := s.client("admin").Issues.CreateComment(ctx, "ops", "manager", i.GetNumber(), &github.IssueComment{Body: github.String("mine")})
	good(t, err)
	evil := s.client("mallory").Issues
	_, _, err = evil.EditComment(ctx, "ops", "manager", m.GetID(), &github.IssueComment{Body: github.String("forged")})
	equal(t, "edit", status(err), 403)
	_, err = evil.DeleteComment(ctx, "ops", "manager", m.GetID())
	equal(t, "delete", status(err), 403)
	_, _, err = evil.CreateComment(ctx, "ops", "manager", i.GetNumber(), &github.IssueComment{Body: github.String("hello")})
	good(t, err) // anybody may comment in public
	_, _, err = evil.Edit(ctx, "ops", "manager", i.GetNumber(), &github.IssueRequest{State: github.String("closed")})
	equal(t, "close", status(err), 403)
}

func TestIssues(t *testing.T) {
	t.Parallel()
	s := newFixture(t, hub.Options{})
	api, ctx := s.client("metapipe").Issues, t.Context()
	i, _, err := api.Create(ctx, "acme", "shop", &github.IssueRequest{
		Title: github.String("Drift"), Body: github.String("b"), Labels: &[]string{"drift", "Drift", "snooze"},
	})
	good(t, err)
	equal(t, "labels", len(i.Labels), 2)
	other, _, err := api.Create(ctx, "acme", "shop", &github.IssueRequest{Title: github.String("Other")})
	good(t, err)
	list, _, err := api.ListByRepo(ctx, "acme", "shop", &github.IssueListByRepoOptions{Labels: []string{"DRIFT"}})
	good(t, err)
	equal(t, "by label", fmt.Sprintln(len(list), list[0].GetNumber()), fmt.Sprintln(1, i.GetNumber()))
	i, _, err = api.Edit(ctx, "acme", "shop", i.GetNumber(), &github.IssueRequest{State: github.String("closed"), StateReason: github.String("not_planned")})
	good(t, err)
	equal(t, "closed", i.GetState()+" "+i.GetStateReason()+" "+i.GetClosedBy().GetLogin(), "closed not_planned metapipe[bot]")
	list, _, err = api.ListByRepo(ctx, "acme", "shop", &github.IssueListByRepoOptions{State: "all", Direction: "asc", Creator: "metapipe[bot]"})
	good(t, err)
	equal(t, "all", len(list), 2)
	i, _, err = api.Edit(ctx, "acme", "shop", i.GetNumber(), &github.IssueRequest{State: github.String("open")})
	good(t, err)
	equal(t, "reopened", i.GetState()+" "+i.GetStateReason(), "open reopened")
	_, _, err = api.Edit(ctx, "acme", "shop", i.GetNumber(), &github.IssueRequest{Body: github.String(strings.Repeat("x", 65537))})
	equal(t, "too long", status(err), 422)
	_, _, err = api.Create(ctx, "acme", "shop", &github.IssueRequest{Title: github.String("")})
	equal(t, "no title", status(err), 422)
	labels, _, err := api.AddLabelsToIssue(ctx, "acme", "shop", other.GetNumber(), []string{"x"})
	good(t, err)
	equal(t, "label", labels[0].GetName(), "x")
	_, err = api.RemoveLabelForIssue(ctx, "acme", "shop", other.GetNumber(), "x")
	good(t, err)
	_, err = api.RemoveLabelForIssue(ctx, "acme", "shop", other.GetNumber(), "x")
	equal(t, "label again", status(err), 404)
	_, _, err = api.CreateLabel(ctx, "acme", "shop", &github.Label{Name: github.String("snooze"), Color: github.String("ff0000")})
	equal(t, "label exists", status(err), 422)
	all, _, err := api.ListLabels(ctx, "acme", "shop", nil)
	good(t, err)
	var names []string
	for _, l := range all {
		names = append(names, l.GetName())
	}
	if d := cmp.Diff([]string{"drift", "snooze", "x"}, names); d != "" {
		t.Error(d)
	}
	mine, _, err := api.ListLabelsByIssue(ctx, "acme", "shop", i.GetNumber(), nil)
	good(t, err)
	equal(t, "labels of the issue", len(mine), 2)
}

func TestIssuesDisabled(t *testing.T) {
	t.Parallel()
	s := newFixture(t, hub.Options{})
	quiet := got(s.hub.AddRepo("ops", "quiet", hub.RepoOptions{NoIssues: true}))(t)
	s.commit(quiet, "main", map[string]string{"a": ""})
	s.commit(quiet, "topic", map[string]string{"b": ""})
	n := got(quiet.OpenPull(hub.NewPull{Title: "T", Author: "ops", Head: "topic"}))(t)
	api, ctx := s.client("admin").Issues, t.Context()
	_, _, err := api.Create(ctx, "ops", "quiet", &github.IssueRequest{Title: github.String("T")})
	equal(t, "create", status(err), 410)
	_, _, err = api.Get(ctx, "ops", "quiet", 77)
	equal(t, "get", status(err), 410)
	_, _, err = api.CreateComment(ctx, "ops", "quiet", n, &github.IssueComment{Body: github.String("b")})
	good(t, err)
	i, _, err := api.Get(ctx, "ops", "quiet", n)
	good(t, err)
	equal(t, "the issue is a pull request", i.IsPullRequest(), true)
}
