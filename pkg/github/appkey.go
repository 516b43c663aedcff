package github

import (
	"crypto/rsa"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

const (
	// A JWT of an App may live ten minutes, and is dated back against clocks that
	// run ahead:
	// https://docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app
	jwtLife = 9 * time.Minute
	jwtBack = time.Minute
	// renewBefore is how long before its end (an hour after it was made) a token
	// of an installation is replaced: longer than one call with its retries takes.
	renewBefore = 10 * time.Minute
)

// App is a GitHub App that we act as. For each repository it gets a token of the
// App's installation there, cut down to that one repository and to Options.Grants.
type App struct {
	issuer string
	key    *rsa.PrivateKey
}

// ParseApp reads an App's id, or its client id, and its private key: PEM as
// GitHub hands it out (PKCS #1), or as PKCS #8. Secrets are often stored in one
// line, so "\n" counts as a line break. Errors are *pipeline.UsageError and do not
// quote the key.
func ParseApp(id, key string) (*App, error) {
	id = strings.TrimSpace(id)
	if id == "" || len(id) > 40 || strings.ContainsFunc(id, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '.'
	}) {
		return nil, pipeline.Usagef("the GitHub App's id is neither a number nor a client id").
			Nextf("copy \"App ID\" from the App's settings page")
	}
	private, err := parseKey(key)
	if err != nil {
		return nil, pipeline.Usagef("the GitHub App's private key cannot be read").Because(err).
			Nextf("store the whole .pem file that GitHub made (\"Generate a private key\" in the App's settings)")
	}
	return &App{issuer: id, key: private}, nil
}

// sign makes the token by which the App itself speaks.
func (a *App) sign(now time.Time) (string, error) {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: a.key}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return "", fmt.Errorf("sign as the GitHub App: %w", err)
	}
	return jwt.Signed(signer).Claims(jwt.Claims{
		Issuer: a.issuer, IssuedAt: jwt.NewNumericDate(now.Add(-jwtBack)), Expiry: jwt.NewNumericDate(now.Add(jwtLife)),
	}).Serialize()
}
