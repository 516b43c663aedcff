package hub_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// idToken asks as the runner's toolkit does.
func (s *fixture) idToken(requestURL, bearer, audience string) (int, string) {
	s.t.Helper()
	path := strings.TrimPrefix(requestURL, s.hub.URL()) + "&audience=" + audience
	a := s.send("", "GET", path, "", "Authorization", "Bearer "+bearer)
	var v struct{ Value string }
	good(s.t, json.Unmarshal([]byte(a.body), &v))
	return a.status, v.Value
}

func TestIDTokens(t *testing.T) {
	t.Parallel()
	s := newFixture(t, hub.Options{})
	run := got(s.customer.StartRun(hub.NewRun{Event: "push", Path: workflowPath, HeadSHA: s.first, HeadBranch: "main", Actor: "alice", Status: "in_progress"}))(t)
	url, bearer, err := s.hub.OpenJob(hub.IDTokenJob{Repo: s.customer, RunID: run.ID, Job: "trigger / it", Ref: "refs/heads/main", SHA: s.first})
	good(t, err)
	st, raw := s.idToken(url, bearer, "manager")
	equal(t, "status", st, 200)

	ctx := t.Context()
	provider := got(oidc.NewProvider(ctx, s.hub.Issuer()))(t)
	verify := func(audience, raw string) (*oidc.IDToken, error) {
		return provider.Verifier(&oidc.Config{ClientID: audience, Now: s.clock.now}).Verify(ctx, raw)
	}
	token := got(verify("manager", raw))(t)
	claims := map[string]any{}
	good(t, token.Claims(&claims))
	for name, want := range map[string]string{
		"repository": "acme/shop", "repository_id": "4711", "run_attempt": "1", "event_name": "push", "ref": "refs/heads/main", "sha": s.first,
		"actor": "alice", "workflow_ref": "acme/shop/" + workflowPath + "@refs/heads/main", "repository_visibility": "private",
		"job_workflow_ref": "acme/shop/" + workflowPath + "@refs/heads/main", "sub": "repo:acme/shop:ref:refs/heads/main",
	} {
		if claims[name] != want {
			t.Errorf("claim %s: got %v, want %s", name, claims[name], want)
		}
	}
	equal(t, "life", token.Expiry.Sub(token.IssuedAt), 5*time.Minute)
	if claims["environment"] != nil {
		t.Error("an environment without one")
	}
	if _, err := verify("other", raw); err == nil {
		t.Error("another audience was accepted")
	}
	_, other := s.idToken(url, bearer, "manager")
	second := map[string]any{}
	good(t, got(verify("manager", other))(t).Claims(&second))
	if claims["jti"] == second["jti"] {
		t.Error("the jti was used twice")
	}

	good(t, s.hub.RotateKey(true))
	got(verify("manager", raw))(t) // the old key still verifies
	_, raw = s.idToken(url, bearer, "manager")
	got(verify("manager", raw))(t)
	good(t, s.hub.RotateKey(false))
	fresh := got(oidc.NewProvider(context.WithoutCancel(ctx), s.hub.Issuer()))(t)
	if _, err := fresh.Verifier(&oidc.Config{ClientID: "manager", Now: s.clock.now}).Verify(ctx, raw); err == nil {
		t.Error("a withdrawn key was accepted")
	}
	_, raw = s.idToken(url, bearer, "manager")
	s.clock.pass(6 * time.Minute)
	var expired *oidc.TokenExpiredError
	if _, err := fresh.Verifier(&oidc.Config{ClientID: "manager", Now: s.clock.now}).Verify(ctx, raw); !errors.As(err, &expired) {
		t.Errorf("an old token: %v", err)
	}
}

func TestIDTokenBearers(t *testing.T) {
	t.Parallel()
	s := newFixture(t, hub.Options{})
	run := got(s.customer.StartRun(hub.NewRun{Event: "pull_request", Path: workflowPath, HeadSHA: s.first, HeadBranch: "main", Actor: "alice"}))(t)
	open := func(job, env string) (string, string) {
		u, b, err := s.hub.OpenJob(hub.IDTokenJob{Repo: s.customer, RunID: run.ID, Job: job, Ref: "refs/pull/1/merge", SHA: s.first, Environment: env})
		good(t, err)
		return u, b
	}
	url, bearer := open("a", "")
	otherURL, otherBearer := open("b", "prod")
	check := func(what, url, bearer string, want int) {
		t.Helper()
		st, _ := s.idToken(url, bearer, "x")
		equal(t, what, st, want)
	}
	check("own", url, bearer, 200)
	check("of another job", otherURL, bearer, 401)
	check("an API token", url, s.secrets["job"], 401)
	check("none", url, "", 401)
	check("environment", otherURL, otherBearer, 200)
	s.hub.CloseJob(bearer)
	check("after the job", url, bearer, 401)
	equal(t, "a job's bearer is no API token", s.send("", "GET", "/user", "", "Authorization", "Bearer "+otherBearer).status, 401)
	if _, _, err := s.hub.OpenJob(hub.IDTokenJob{Repo: s.customer, RunID: 1}); err == nil {
		t.Error("opened a job of an unknown run")
	}
	if _, _, err := s.hub.OpenJob(hub.IDTokenJob{}); err == nil {
		t.Error("opened a job of no repository")
	}
}
