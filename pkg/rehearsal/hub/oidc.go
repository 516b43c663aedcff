package hub

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// issuerPath is where GitHub Enterprise Server has its issuer.
const issuerPath = "/_services/token"

// tokenLife is how long an ID token is valid; notBefore is how far GitHub sets
// nbf back.
const (
	tokenLife = 5 * time.Minute
	notBefore = 10 * time.Minute
)

// Issuer is the issuer of the ID tokens; <issuer>/.well-known/openid-configuration
// describes it.
func (s *Server) Issuer() string { return s.URL() + issuerPath }

// OpenJob registers a job and returns the values of its
// ACTIONS_ID_TOKEN_REQUEST_URL and ACTIONS_ID_TOKEN_REQUEST_TOKEN.
func (s *Server) OpenJob(j IDTokenJob) (requestURL, bearer string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if j.Repo == nil {
		return "", "", errors.New("open a job: it has no repository")
	}
	x := j.Repo.run(j.RunID)
	if x == nil {
		return "", "", fmt.Errorf("open a job: %s has no run %d", j.Repo.slug(), j.RunID)
	}
	bearer = "job_" + randomHex(24)
	s.jobs[bearer] = &jobIdentity{IDTokenJob: j, run: x}
	requestURL = fmt.Sprintf("%s/_services/idtoken/%d/%s?api-version=2.0", s.url, j.RunID, url.PathEscape(j.Job))
	return requestURL, bearer, nil
}

// CloseJob ends the job: its bearer is not accepted any more.
func (s *Server) CloseJob(bearer string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.jobs, bearer)
}

// RotateKey signs with a new key from now on. With keepOld the old one stays in
// the key set, so tokens signed with it still verify.
func (s *Server) RotateKey(keepOld bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.keys.signing; k != nil && keepOld {
		s.keys.old = append(s.keys.old, k.Public())
	} else {
		s.keys.old = nil
	}
	s.keys.signing = nil
	return s.keys.ensure()
}

// ensure makes the key at its first use: that takes a moment, and most tests
// need none.
func (k *signingKeys) ensure() error {
	if k.signing != nil {
		return nil
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return fmt.Errorf("make a signing key: %w", err)
	}
	id := sha256.Sum256(key.N.Bytes())
	k.signing = &jose.JSONWebKey{Key: key, KeyID: base64.RawURLEncoding.EncodeToString(id[:16]), Algorithm: string(jose.RS256), Use: "sig"}
	return nil
}

// getDiscovery is <issuer>/.well-known/openid-configuration.
func getDiscovery(c *call) reply {
	issuer := c.s.url + issuerPath
	return ok(object{
		"issuer": issuer, "jwks_uri": issuer + "/.well-known/jwks", "subject_types_supported": []string{"public", "pairwise"},
		"response_types_supported": []string{"id_token"}, "id_token_signing_alg_values_supported": []string{"RS256"},
		"scopes_supported": []string{"openid"}, "claims_supported": []string{
			"sub", "aud", "exp", "iat", "iss", "jti", "nbf", "ref", "sha", "repository", "repository_id", "repository_owner",
			"repository_owner_id", "run_id", "run_number", "run_attempt", "actor", "actor_id", "workflow", "workflow_ref", "workflow_sha",
			"head_ref", "base_ref", "event_name", "ref_type", "ref_protected", "environment", "job_workflow_ref", "job_workflow_sha",
			"repository_visibility", "runner_environment",
		},
	})
}

// getKeys is <issuer>/.well-known/jwks.
func getKeys(c *call) reply {
	if err := c.s.keys.ensure(); err != nil {
		return problem(500, err.Error())
	}
	return ok(jose.JSONWebKeySet{Keys: append([]jose.JSONWebKey{c.s.keys.signing.Public()}, c.s.keys.old...)})
}

// getIDToken is what ACTIONS_ID_TOKEN_REQUEST_URL leads to.
func getIDToken(c *call) reply {
	bearer, isBearer := strings.CutPrefix(c.r.Header.Get("Authorization"), "Bearer ")
	j := c.s.jobs[bearer]
	if !isBearer || j == nil || strconv.FormatInt(j.RunID, 10) != c.params["run_id"] || j.Job != c.params["job"] {
		return problem(401, "Bad credentials")
	}
	if err := c.s.keys.ensure(); err != nil {
		return problem(500, err.Error())
	}
	audience := c.r.URL.Query().Get("audience")
	if audience == "" {
		audience = c.s.url + "/" + j.Repo.owner
	}
	value, err := c.s.sign(j.claims(audience))
	if err != nil {
		return problem(500, err.Error())
	}
	return ok(object{"count": len(value), "value": value})
}

func (s *Server) sign(claims object) (string, error) {
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.RS256, Key: *s.keys.signing}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return "", fmt.Errorf("sign an ID token: %w", err)
	}
	value, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		return "", fmt.Errorf("sign an ID token: %w", err)
	}
	return value, nil
}

// claims are those of GitHub's page "OpenID Connect reference"; numbers are
// strings there.
func (j *jobIdentity) claims(audience string) object {
	r, x, s := j.Repo, j.run, j.Repo.s
	owner, actor := s.users[strings.ToLower(r.owner)], s.users[strings.ToLower(x.Actor)]
	now := s.clock()
	workflowRef := r.slug() + "/" + x.Path + "@" + j.Ref
	if j.JobWorkflowRef == "" {
		j.JobWorkflowRef = workflowRef
	}
	refType := "branch"
	if strings.HasPrefix(j.Ref, "refs/tags/") {
		refType = "tag"
	}
	visibility := "public"
	if r.private {
		visibility = "private"
	}
	jti := sha256.Sum256([]byte(fmt.Sprintf("%s jti %d", s.url, s.id("jti"))))
	v := object{
		"iss": s.url + issuerPath, "aud": audience, "sub": j.subject(), "jti": asUUID(jti[:16]),
		"iat": now.Unix(), "nbf": now.Add(-notBefore).Unix(), "exp": now.Add(tokenLife).Unix(),
		"repository": r.slug(), "repository_id": strconv.FormatInt(r.id, 10), "repository_owner": r.owner,
		"repository_owner_id": strconv.FormatInt(owner.ID, 10), "repository_visibility": visibility,
		"run_id": strconv.FormatInt(x.ID, 10), "run_number": strconv.Itoa(x.Number), "run_attempt": strconv.Itoa(x.Attempt),
		"event_name": x.Event, "ref": j.Ref, "ref_type": refType, "ref_protected": "false", "sha": j.SHA,
		"head_ref": j.HeadRef, "base_ref": j.BaseRef, "actor": x.Actor, "actor_id": strconv.FormatInt(actor.ID, 10),
		"workflow": x.Name, "workflow_ref": workflowRef, "workflow_sha": j.SHA, "job_workflow_ref": j.JobWorkflowRef,
		"job_workflow_sha": j.SHA, "runner_environment": "github-hosted",
	}
	if j.Environment != "" {
		v["environment"] = j.Environment
	}
	for name, value := range r.effectiveProperties() {
		if r.inOrg() && value != nil && s.inclusions[strings.ToLower(r.owner+"/"+name)] {
			v["repo_property_"+name] = value
		}
	}
	return v
}

// IncludeProperty puts a custom property into the ID tokens of an organization's repositories that have
// a value of it. A list is one in the token, too: GitHub's pages show texts alone.
func (s *Server) IncludeProperty(org, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inclusions[strings.ToLower(org+"/"+name)] = true
}

func (j *jobIdentity) subject() string {
	repo := j.Repo.subjectPrefix()
	switch {
	case j.Environment != "":
		return repo + ":environment:" + strings.ReplaceAll(j.Environment, ":", "%3A")
	case j.run.Event == "pull_request":
		return repo + ":pull_request"
	}
	return repo + ":ref:" + j.Ref
}

// SetImmutableSubject lets ID tokens name the repository and its owner by ids too.
func (r *Repo) SetImmutableSubject(on bool) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.immutableSubject = on
}

func (r *Repo) subjectPrefix() string {
	if !r.immutableSubject {
		return "repo:" + r.slug()
	}
	return fmt.Sprintf("repo:%s@%d/%s@%d", r.owner, r.s.users[strings.ToLower(r.owner)].ID, r.name, r.id)
}

// getSubjectForm is GET …/actions/oidc/customization/sub.
func getSubjectForm(c *call) reply {
	return ok(object{"use_default": true, "use_immutable_subject": c.repo.immutableSubject, "sub_claim_prefix": c.repo.subjectPrefix()})
}

func asUUID(b []byte) string {
	h := hex.EncodeToString(b)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
