package store_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/store"
	"github.com/metapipe/metapipe/pkg/store/kmstest"
)

const shopRole = "arn:aws:iam::123456789012:role/tenants/shop"

// stsServer answers AssumeRoleWithWebIdentity as STS does, and keeps what it was
// asked.
func stsServer(t *testing.T, status int, answer string) (lookup func(string) (string, bool), asked *url.Values) {
	t.Helper()
	asked = &url.Values{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		if auth := r.Header.Get("Authorization"); auth != "" {
			t.Errorf("the request is signed with other credentials: %s", auth)
		}
		*asked = r.PostForm
		w.Header().Set("Content-Type", "text/xml")
		w.WriteHeader(status)
		fmt.Fprint(w, answer)
	}))
	t.Cleanup(server.Close)
	env := map[string]string{"AWS_ENDPOINT_URL_STS": server.URL, "AWS_REGION": "eu-central-1", "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_ACCESS_KEY_ID": "AKIAOTHER", "AWS_SECRET_ACCESS_KEY": "other"}
	return func(name string) (string, bool) { v, ok := env[name]; return v, ok }, asked
}

func sessionOptions(lookup func(string) (string, bool)) store.SessionOptions {
	return store.SessionOptions{Role: shopRole, Token: "the.id.token", Target: pipeline.CustomerName("shop").In("staging"), Policy: `{"Version":"2012-10-17"}`,
		Duration: 135 * time.Minute, Lookup: lookup}
}

const stsAnswer = `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult><Credentials>
<AccessKeyId>ASIASESSION</AccessKeyId><SecretAccessKey>session-secret</SecretAccessKey><SessionToken>session-token</SessionToken><Expiration>2030-01-01T00:00:00Z</Expiration>
</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`

func TestOpenSession(t *testing.T) {
	t.Parallel()
	lookup, asked := stsServer(t, http.StatusOK, stsAnswer)
	s, err := store.OpenSession(t.Context(), sessionOptions(lookup))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"Action": "AssumeRoleWithWebIdentity", "RoleArn": shopRole, "RoleSessionName": "shop@staging", "WebIdentityToken": "the.id.token",
		"DurationSeconds": "8100", "Policy": `{"Version":"2012-10-17"}`} {
		if got := asked.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if text := fmt.Sprintf("%v %+v %#v %s", s, s, s, s); strings.Contains(text, "secret") || strings.Contains(text, "token") {
		t.Errorf("a session prints itself: %s", text)
	}

	confined := s.Confine([]string{"PATH=/bin", "AWS_PROFILE=other", "AWS_ACCESS_KEY_ID=AKIAOTHER", "AWS_WEB_IDENTITY_TOKEN_FILE=/t", "AWS_ROLE_ARN=r", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/x",
		"aws_security_token=x", "AWS_CONFIG_FILE=/home/c", "AWS_ENDPOINT_URL_S3=http://s3", "AWS_CA_BUNDLE=/ca", "GOOGLE_PROJECT=p"})
	want := []string{"PATH=/bin", "AWS_ENDPOINT_URL_S3=http://s3", "AWS_CA_BUNDLE=/ca", "GOOGLE_PROJECT=p", "AWS_REGION=eu-central-1",
		"AWS_ACCESS_KEY_ID=ASIASESSION", "AWS_SECRET_ACCESS_KEY=session-secret", "AWS_SESSION_TOKEN=session-token",
		"AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE=" + os.DevNull, "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull}
	if !slices.Equal(confined, want) {
		t.Errorf("the environment is\n%q, want\n%q", confined, want)
	}
}

func TestOpenSessionRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ code, message, respond string }{
		{"ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.", "aws iam update-role --role-name shop --max-session-duration 8100"},
		{"AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity", "trust policy of the role"},
		{"InvalidIdentityToken", "No OpenIDConnect provider found in your account", "trust policy of the role"},
		{"PackedPolicyTooLarge", "Packed policy consumes 120% of allotted space", "shorten state.prefix"},
		{"RegionDisabledException", "STS is not activated in this region", "activate STS in eu-central-1"},
	} {
		t.Run(c.code, func(t *testing.T) {
			t.Parallel()
			lookup, _ := stsServer(t, http.StatusBadRequest, "<ErrorResponse><Error><Type>Sender</Type><Code>"+c.code+"</Code><Message>"+c.message+"</Message></Error></ErrorResponse>")
			_, err := store.OpenSession(t.Context(), sessionOptions(lookup))
			var usage *pipeline.UsageError
			if !errors.As(err, &usage) || !strings.Contains(usage.Next, c.respond) || !strings.Contains(err.Error(), "shop/staging") || !strings.Contains(err.Error(), c.message) {
				t.Errorf("the error is %v", err)
			}
			if strings.Contains(err.Error(), "the.id.token") {
				t.Errorf("the error tells the token: %v", err)
			}
		})
	}
	half := strings.Replace(stsAnswer, "session-secret", "", 1)
	lookup, _ := stsServer(t, http.StatusOK, half)
	if _, err := store.OpenSession(t.Context(), sessionOptions(lookup)); err == nil || !strings.Contains(err.Error(), "half of the credentials") {
		t.Errorf("half of the credentials were taken: %v", err)
	}
	nowhere := func(string) (string, bool) { return "", false }
	if _, err := store.OpenSession(t.Context(), sessionOptions(nowhere)); err == nil || !strings.Contains(err.Error(), "the region is not set") {
		t.Errorf("no region: %v", err)
	}
}

// TestSessionName holds the names that AWS takes: 64 characters.
func TestSessionName(t *testing.T) {
	t.Parallel()
	lookup, asked := stsServer(t, http.StatusOK, stsAnswer)
	o := sessionOptions(lookup)
	o.Target = pipeline.CustomerName(strings.Repeat("c", 63)).In(pipeline.Environment(strings.Repeat("e", 40)))
	if _, err := store.OpenSession(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	name := asked.Get("RoleSessionName")
	if len(name) != 64 || !strings.HasPrefix(name, strings.Repeat("c", 14)+".") || !strings.HasSuffix(name, "@"+strings.Repeat("e", 40)) {
		t.Errorf("the session is called %q", name)
	}
	o.Target.Customer = pipeline.CustomerName(strings.Repeat("c", 62) + "d")
	if _, err := store.OpenSession(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if other := asked.Get("RoleSessionName"); other == name {
		t.Errorf("two customers have sessions called %q", name)
	}
}

// s3Request is a request to S3 as a policy sees it.
type s3Request struct {
	action, resource, prefix string
	keys                     map[string]string // of conditions; absent ones are not there
}

// allows evaluates a policy for one request, as IAM does: a Deny that fits wins, and
// without an Allow that fits nothing is allowed.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
func allows(t *testing.T, policy string, a s3Request) bool {
	t.Helper()
	var p struct {
		Statement []struct {
			Effect                                   string
			Action, NotAction, Resource, NotResource kmstest.Texts
			Condition                                map[string]map[string]kmstest.Texts
		}
	}
	if err := json.Unmarshal([]byte(policy), &p); err != nil {
		t.Fatal(err)
	}
	if a.prefix != "" {
		a.keys = map[string]string{"s3:prefix": a.prefix}
	}
	fits := func(patterns []string, value string) bool {
		return slices.ContainsFunc(patterns, func(pattern string) bool {
			// path.Match stops at slashes, and patterns of IAM do not.
			ok, err := path.Match(strings.ReplaceAll(pattern, "/", "\x00"), strings.ReplaceAll(value, "/", "\x00"))
			return err == nil && ok
		})
	}
	allowed := false
	for _, s := range p.Statement {
		if (len(s.Action) == 0) == (len(s.NotAction) == 0) || (len(s.Resource) == 0) == (len(s.NotResource) == 0) {
			t.Fatalf("not a statement: %+v", s)
		}
		action := len(s.Action) > 0 && fits(s.Action, a.action) || len(s.NotAction) > 0 && !fits(s.NotAction, a.action)
		resource := len(s.Resource) > 0 && fits(s.Resource, a.resource) || len(s.NotResource) > 0 && !fits(s.NotResource, a.resource)
		condition := true
		for operator, keys := range s.Condition {
			for key, want := range keys {
				value, there := a.keys[key]
				switch operator {
				case "StringLike":
					condition = condition && there && fits(want, value)
				case "ForAllValues:StringLike":
					condition = condition && (!there || fits(want, value))
				case "StringLikeIfExists":
					condition = condition && (!there || fits(want, value))
				case "Bool", "StringEquals", "ForAnyValue:StringEquals":
					condition = condition && there && slices.Contains(want, value)
				case "StringNotEquals":
					condition = condition && !(there && slices.Contains(want, value))
				case "Null":
					condition = condition && slices.Contains(want, fmt.Sprint(!there))
				default:
					t.Fatalf("a condition that is not known here: %s", operator)
				}
			}
		}
		if !action || !resource || !condition {
			continue
		}
		if s.Effect == "Deny" {
			return false
		}
		allowed = true
	}
	return allowed
}

func TestSessionPolicy(t *testing.T) {
	t.Parallel()
	bucket := pipeline.Bucket{Name: "states", Region: "eu-central-1", Prefix: "live", LockTable: "locks"}
	scope := store.Scope{Bucket: bucket, Customer: "shop", Environment: "staging"}
	elsewhere := pipeline.Backend{Type: pipeline.BackendS3, Config: map[string]string{"bucket": "others", "key": "shop/staging.tfstate"}}
	policy, err := scope.SessionPolicy(shopRole, elsewhere)
	if err != nil {
		t.Fatal(err)
	}
	const states, others = "arn:aws:s3:::states", "arn:aws:s3:::others"
	for _, c := range []struct {
		action, resource, prefix string
		want                     bool
	}{
		{"s3:PutObject", states + "/live/shop/staging/terraform.tfstate", "", true},
		{"s3:DeleteObject", states + "/live/shop/staging/terraform.tfstate.tflock", "", true},
		{"s3:PutObject", states + "/live/shop/staging/plans/1/receipt.json", "", true},
		{"s3:GetObject", states + "/live/shop/requests/1.json", "", true},
		{"s3:GetObject", states + "/live/shop/production/plans/1/apply-0000000003.json", "", true},
		{"s3:PutObject", states + "/live/shop/production/plans/1/apply-0000000003.json", "", false},
		{"s3:GetObject", states + "/live/shop/production/plans/1/artifacts.sealed", "", false},
		{"s3:GetObject", states + "/live/shop/production/plans/1/plan-log.sealed", "", false},
		{"s3:GetObject", states + "/live/shop/staging/plans/1/artifacts.sealed", "", true},
		{"s3:DeleteObject", states + "/live/shop/staging/plans/1/artifacts.sealed", "", true},
		{"s3:DeleteObject", states + "/live/shop/staging/applied/1.json", "", true},
		{"s3:DeleteObject", states + "/live/shop/staging/plans/1/receipt.json", "", false},
		{"s3:DeleteObject", states + "/live/shop/staging/ledger/9999999998-1.json", "", false},
		{"s3:DeleteObject", states + "/live/shop/staging/queue/1", "", false},
		{"s3:PutObject", states + "/live/_metapipe/open/shop/1", "", true},
		{"s3:DeleteObject", states + "/live/_metapipe/open/shop/1", "", false},
		{"s3:PutObject", states + "/live/_metapipe/open/blog/1", "", false},
		{"s3:GetObject", states + "/live/shop/production/terraform.tfstate", "", false},
		{"s3:PutObject", states + "/live/shop/requests/1.json", "", false},
		{"s3:GetObject", states + "/live/blog/staging/terraform.tfstate", "", false},
		{"s3:GetObject", states + "/live/shop2/staging/terraform.tfstate", "", false},
		{"s3:GetObject", states + "/shop/staging/terraform.tfstate", "", false},
		{"s3:PutBucketPolicy", states, "", false},
		{"s3:ListBucket", states, "live/shop/staging/", true},
		{"s3:ListBucket", states, "live/", false},
		{"s3:ListBucket", states, "live/_metapipe/customers/7/abc/", true},
		{"s3:ListBucket", states, "live/_metapipe/scans/", false},
		{"s3:GetObject", states + "/live/_metapipe/customers/7/abc/000001.json", "", true},
		{"s3:PutObject", states + "/live/_metapipe/customers/7/abc/000002.json", "", false},
		{"s3:DeleteObject", states + "/live/_metapipe/customers/7/abc/000001.json", "", false},
		{"s3:GetObject", others + "/shop/staging.tfstate", "", true},
		{"s3:PutObject", others + "/shop/staging.tfstate.tflock", "", true},
		{"s3:GetObject", others + "/blog/staging.tfstate", "", false},
		{"dynamodb:PutItem", "arn:aws:dynamodb:*:*:table/other", "", true},
		{"dynamodb:DeleteTable", "arn:aws:dynamodb:*:*:table/locks", "", false},
		// What the tool builds is for the role's own policies to say.
		{"ec2:CreateVpc", "*", "", true},
		{"s3:CreateBucket", "arn:aws:s3:::shop-assets", "", true},
		{"kms:Decrypt", "arn:aws:kms:eu-central-1:123456789012:key/x", "", true},
	} {
		if got := allows(t, policy, s3Request{action: c.action, resource: c.resource, prefix: c.prefix}); got != c.want {
			t.Errorf("%s on %s (%s): %v, want %v\n%s", c.action, c.resource, c.prefix, got, c.want, policy)
		}
	}
}

// TestSessionPolicyByAccessPoint: another name of the bucket opens nothing.
func TestSessionPolicyByAccessPoint(t *testing.T) {
	t.Parallel()
	policy, err := store.Scope{Bucket: pipeline.Bucket{Name: "states"}, Customer: "shop", Environment: "staging"}.SessionPolicy(shopRole, pipeline.Backend{})
	if err != nil {
		t.Fatal(err)
	}
	const point = "arn:aws:s3:eu-central-1:123456789012:accesspoint/back-door"
	through := map[string]string{"s3:DataAccessPointArn": point}
	for _, action := range []string{"s3:GetObject", "s3:PutObject", "s3:DeleteObjectVersion"} {
		if allows(t, policy, s3Request{action: action, resource: point + "/object/crm/staging/terraform.tfstate", keys: through}) {
			t.Errorf("%s by way of an access point is allowed:\n%s", action, policy)
		}
		if !allows(t, policy, s3Request{action: action, resource: "arn:aws:s3:::shop-assets/x"}) {
			t.Errorf("%s on what the tool builds is refused:\n%s", action, policy)
		}
	}
}

func TestSessionPolicyHasRoom(t *testing.T) {
	t.Parallel()
	long := store.Scope{Bucket: pipeline.Bucket{Name: strings.Repeat("b", 48)}, Customer: strings.Repeat("c", 35), Environment: strings.Repeat("e", 20), SealingKeys: []string{"alias/plans"}}
	policy, err := long.SessionPolicy(shopRole, pipeline.Backend{})
	if err != nil {
		t.Error(err)
	}
	t.Logf("%d characters", len(policy))
	long.Bucket.Prefix = strings.Repeat("p", 200)
	_, err = long.SessionPolicy(shopRole, pipeline.Backend{})
	var usage *pipeline.UsageError
	if !errors.As(err, &usage) || !strings.Contains(err.Error(), "AWS takes 2048") {
		t.Errorf("a policy that is too long: %v", err)
	}
	if policy, err := (store.Scope{Customer: "shop", Environment: "staging"}).SessionPolicy(shopRole, pipeline.Backend{Type: pipeline.BackendLocal}); policy != "" || err != nil {
		t.Errorf("without a bucket: %q, %v", policy, err)
	}
}
