package github

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

func (a *appCredentials) of(slug pipeline.Slug) *appToken {
	a.mu.Lock()
	defer a.mu.Unlock()
	key := strings.ToLower(slug.String())
	t := a.tokens[key]
	if t == nil {
		if a.tokens == nil {
			a.tokens = map[string]*appToken{}
		}
		t = &appToken{refreshLock: make(chan struct{}, 1)}
		t.refreshLock <- struct{}{}
		a.tokens[key] = t
	}
	return t
}

// token implements credentials.
func (a *appCredentials) token(ctx context.Context, k call) (string, error) {
	now := a.client.transport.now()
	if k.asApp || k.through() == (pipeline.Slug{}) {
		return a.app.sign(now)
	}
	t := a.of(k.through())
	select {
	case <-t.refreshLock:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	defer func() { t.refreshLock <- struct{}{} }()
	if t.token != "" && now.Before(t.expires.Add(-renewBefore)) {
		return t.token, nil
	}
	if err := a.renew(ctx, k.through(), t); err != nil {
		return "", err
	}
	return t.token, nil
}

// renew finds the installation at the first time, and makes a new token.
func (a *appCredentials) renew(ctx context.Context, slug pipeline.Slug, t *appToken) error {
	if t.installation == 0 {
		k := get(slug, "find the GitHub App's installation for the repository", "/repos/{owner}/{repo}/installation")
		k.asApp, k.advice = true, appAdvice
		var got struct {
			ID int64 `json:"id"`
		}
		if _, err := a.client.send(ctx, k, nil, &got); err != nil {
			return err
		}
		if got.ID <= 0 {
			return k.fail(errors.New("the answer lacks the installation's id"))
		}
		t.installation = got.ID
	}
	k := write(http.MethodPost, slug, "get a token of the GitHub App for the repository",
		"/app/installations/{installation_id}/access_tokens", strconv.FormatInt(t.installation, 10))
	k.asApp, k.repeatable, k.harmless, k.advice = true, true, true, a.tokenAdvice()
	in := struct {
		Repositories []string          `json:"repositories"`
		Permissions  map[string]string `json:"permissions,omitempty"`
	}{[]string{slug.Name}, a.grants}
	if t.grants != nil {
		in.Permissions = t.grants
	}
	var got struct {
		Token     string    `json:"token"`
		ExpiresAt time.Time `json:"expires_at"`
	}
	if _, err := a.client.send(ctx, k, in, &got); err != nil {
		t.installation = 0 // it may have been made anew
		return err
	}
	token, err := checkToken(got.Token)
	if err != nil || token == "" || got.ExpiresAt.IsZero() {
		return k.fail(errors.New("the answer lacks a token or its end"))
	}
	a.client.transport.secrets.add(token)
	if a.onToken != nil {
		if err := a.onToken(token); err != nil {
			return k.fail(fmt.Errorf("mask the token: %w", err))
		}
	}
	t.token, t.expires = token, got.ExpiresAt
	return nil
}

var appAdvice = map[int]string{
	http.StatusUnauthorized: "GitHub does not know the App by its id and key: compare the id, make a new private key, and check that this machine's clock is right",
	http.StatusForbidden:    "the App's installation may be suspended: see the settings of the account under \"GitHub Apps\"",
	http.StatusNotFound:     "the App is not installed for this repository: install it, or add the repository to its installation, and use the repository's present name",
	http.StatusUnprocessableEntity: "the App's installation has no access to this repository, or the repository has moved: add it to the installation, " +
		"and use its present name",
}

// tokenAdvice names the permissions that are asked for: GitHub refuses a token when the
// installation lacks one of them, and does not say which.
func (a *appCredentials) tokenAdvice() map[int]string {
	if len(a.grants) == 0 {
		return appAdvice
	}
	var list []string
	for _, name := range slices.Sorted(maps.Keys(a.grants)) {
		list = append(list, name+"="+a.grants[name])
	}
	advice := maps.Clone(appAdvice)
	advice[http.StatusUnprocessableEntity] += "; or it lacks one of the permissions " + strings.Join(list, ", ") +
		neededBy(a.client.named.needs) + ": give them to the App, and let the owner of the installation accept them"
	return advice
}

// refused implements credentials: a token can be revoked before its end.
func (a *appCredentials) refused(ctx context.Context, k call, token string) bool {
	if k.asApp || k.through() == (pipeline.Slug{}) {
		return false
	}
	t := a.of(k.through())
	select {
	case <-t.refreshLock:
	case <-ctx.Done():
		return false
	}
	defer func() { t.refreshLock <- struct{}{} }()
	if t.token == token {
		t.token = ""
	}
	return true
}

// login is the account under which an App writes.
func (a *appCredentials) login(ctx context.Context) (string, error) {
	k := call{op: "ask for the GitHub App's name", method: http.MethodGet, route: "/app", repeatable: true, asApp: true, advice: appAdvice}
	var got struct {
		Slug string `json:"slug"`
	}
	if _, err := a.client.send(ctx, k, nil, &got); err != nil {
		return "", err
	}
	if got.Slug == "" {
		return "", k.fail(errors.New("the answer lacks the App's name"))
	}
	return got.Slug + "[bot]", nil
}
