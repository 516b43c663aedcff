package actions

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/text"
)

// Issuer returns the issuer of ID tokens that belongs to a GitHub server:
// https://docs.github.com/actions/reference/security/oidc and, for servers of
// one's own, https://docs.github.com/enterprise-server/actions/reference/security/oidc.
func Issuer(serverURL string) string {
	serverURL = strings.TrimRight(serverURL, "/")
	scheme, host, _ := strings.Cut(serverURL, "://")
	switch {
	case strings.EqualFold(host, "github.com"):
		return "https://token.actions.githubusercontent.com"
	case scheme == "https" && strings.HasSuffix(strings.ToLower(host), ".ghe.com"):
		return "https://token.actions." + strings.ToLower(host) // Enterprise Cloud with data residency
	}
	return serverURL + "/_services/token"
}

// skew is by how much the clocks of GitHub's own machines may differ.
const skew = time.Minute

// maxToken is far above any real token (about 2 KiB).
const maxToken = 16 << 10

// compactToken is a signed JWT in compact form: three base64url parts.
var compactToken = text.Pattern(`^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$`)

func compact(token string) bool { return len(token) <= maxToken && compactToken().MatchString(token) }

// Verifier checks ID tokens of one issuer. It fetches the issuer's keys for each
// token: a process verifies one or two, and a key that the issuer has withdrawn
// must not live on in a cache. It is safe for concurrent use.
type Verifier struct {
	issuer string
	client *http.Client
}

// NewVerifier returns a verifier for tokens of issuer; nothing is fetched yet.
// client may be nil. The keys are read from <issuer>/.well-known/jwks.
func NewVerifier(issuer string, client *http.Client) (*Verifier, error) {
	if _, err := parseAddress(issuer); err != nil {
		return nil, pipeline.Usagef("the issuer of ID tokens %q", issuer).Because(err)
	}
	base := http.DefaultTransport
	if client != nil && client.Transport != nil {
		base = client.Transport
	}
	bounded := &http.Client{Transport: &keyTransport{base: base}, Timeout: 30 * time.Second}
	return &Verifier{issuer: issuer, client: bounded}, nil
}

// Verify checks that token was signed by the issuer (RS256 only) for this very
// audience and no other, and that it was valid at the time at: a queue can
// outlast a token, so at is when the run that received it was created. What the
// claims mean is the caller's to judge, and that a token is used once only.
//
// An error that wraps *KeysUnavailableError says nothing about the token; all
// others say that it is not valid.
func (v *Verifier) Verify(ctx context.Context, token, audience string, at time.Time) (pipeline.Claims, error) {
	fail := func(err error) (pipeline.Claims, error) {
		return pipeline.Claims{}, fmt.Errorf("verify the ID token: %w", err)
	}
	if !compact(token) {
		return fail(errors.New("it is not a signed JWT in compact form"))
	}
	if audience == "" || at.IsZero() {
		return fail(errors.New("the expected audience or the time to verify for is missing"))
	}
	if err := v.checkIssuer(token); err != nil {
		return fail(err)
	}
	if err := ctx.Err(); err != nil { // the keys could still arrive
		return fail(err)
	}
	keys := &recordingKeys{KeySet: oidc.NewRemoteKeySet(oidc.ClientContext(ctx, v.client), v.issuer+"/.well-known/jwks")}
	verifier := oidc.NewVerifier(v.issuer, keys, &oidc.Config{
		ClientID: audience, SupportedSigningAlgs: []string{oidc.RS256}, Now: func() time.Time { return at },
	})
	verified, err := verifier.Verify(ctx, token)
	if err != nil {
		return fail(keys.explain(ctx, err))
	}
	var raw rawClaims
	if err := verified.Claims(&raw); err != nil {
		return fail(fmt.Errorf("read its claims: %w", err))
	}
	if err := checkTimes(verified, raw, at); err != nil {
		return fail(err)
	}
	if len(verified.Audience) != 1 || verified.Audience[0] != audience {
		return fail(errors.New("it is for other audiences too"))
	}
	claims, err := raw.claims()
	if err != nil {
		return fail(err)
	}
	if claims.Properties, err = propertyClaims(verified); err != nil {
		return fail(err)
	}
	claims.Issuer, claims.Subject, claims.Audience = verified.Issuer, verified.Subject, audience
	claims.IssuedAt, claims.ExpiresAt = verified.IssuedAt.UTC(), verified.Expiry.UTC()
	return claims, nil
}

// checkIssuer looks at the claim before anything is fetched: a token of someone
// else is wrong also when the keys are out of reach. go-oidc looks again at what
// is signed.
func (v *Verifier) checkIssuer(token string) error {
	var output struct {
		Issuer string `json:"iss"`
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err == nil {
		err = json.Unmarshal(payload, &output)
	}
	if err != nil {
		return errors.New("its claims cannot be read")
	}
	if output.Issuer != v.issuer {
		return fmt.Errorf("it was issued by %.300q, and only %q is believed", output.Issuer, v.issuer)
	}
	return nil
}

// checkTimes does what go-oidc does not: it does not look at iat, and lets nbf
// be five minutes ahead.
func checkTimes(token *oidc.IDToken, raw rawClaims, at time.Time) error {
	switch {
	case token.IssuedAt.Unix() <= 0:
		return errors.New("it does not say when it was issued")
	case token.IssuedAt.After(at.Add(skew)):
		return fmt.Errorf("it was issued at %s, after %s", token.IssuedAt.UTC().Format(time.RFC3339), at.UTC().Format(time.RFC3339))
	}
	if raw.NotBefore == "" {
		return nil
	}
	seconds, err := raw.NotBefore.Float64()
	if err != nil {
		return fmt.Errorf("nbf: %w", err)
	}
	if seconds > float64(at.Add(skew).Unix()) {
		return fmt.Errorf("it is not valid yet at %s", at.UTC().Format(time.RFC3339))
	}
	return nil
}

// rawClaims are GitHub's claims; its ids are strings.
type rawClaims struct {
	NotBefore      json.Number `json:"nbf"`
	RepositoryID   string      `json:"repository_id"`
	Repository     string      `json:"repository"`
	RunID          string      `json:"run_id"`
	RunAttempt     string      `json:"run_attempt"`
	EventName      string      `json:"event_name"`
	Ref            string      `json:"ref"`
	Actor          string      `json:"actor"`
	ActorID        string      `json:"actor_id"`
	SHA            string      `json:"sha"`
	WorkflowRef    string      `json:"workflow_ref"`
	JobWorkflowRef string      `json:"job_workflow_ref"`
	JTI            string      `json:"jti"`
}

func (r rawClaims) claims() (pipeline.Claims, error) {
	c := pipeline.Claims{
		Repository: r.Repository, EventName: r.EventName, Ref: r.Ref, Actor: r.Actor,
		WorkflowRef: r.WorkflowRef, JobWorkflowRef: r.JobWorkflowRef, JTI: r.JTI,
	}
	var errs [5]error
	c.RepositoryID, errs[0] = idClaim("repository_id", r.RepositoryID)
	c.RunID, errs[1] = idClaim("run_id", r.RunID)
	c.RunAttempt, errs[2] = strconv.Atoi(r.RunAttempt)
	if errs[2] != nil || c.RunAttempt <= 0 {
		errs[2] = fmt.Errorf("claim run_attempt: %.40q is not a positive number", r.RunAttempt)
	}
	c.SHA, errs[3] = pipeline.ParseSHA(r.SHA)
	if r.ActorID != "" { // older servers do not say
		c.ActorID, errs[4] = idClaim("actor_id", r.ActorID)
	}
	return c, errors.Join(errs[:]...)
}

// propertyClaim is what the names of the claims for custom properties begin with.
// https://docs.github.com/en/actions/reference/security/oidc
const propertyClaim = "repo_property_"

// propertyClaims reads the custom properties that the organization includes in its tokens.
func propertyClaims(token *oidc.IDToken) (pipeline.Properties, error) {
	var all map[string]json.RawMessage
	if err := token.Claims(&all); err != nil {
		return pipeline.Properties{}, fmt.Errorf("read its claims: %w", err)
	}
	values := map[string]json.RawMessage{}
	for claim, value := range all {
		if name, found := strings.CutPrefix(claim, propertyClaim); found {
			values[name] = value
		}
	}
	raw, err := json.Marshal(values)
	if err != nil {
		return pipeline.Properties{}, fmt.Errorf("read its claims: %w", err)
	}
	return pipeline.ParseProperties(raw)
}

func idClaim(name, value string) (int64, error) {
	id, err := parseID(value)
	if err != nil {
		return 0, fmt.Errorf("claim %s: %w", name, err)
	}
	return id, nil
}
