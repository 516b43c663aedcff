package store_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/store"
)

// guardedPolicy is the bucket policy that bootstrap sets, with everything else allowed.
func guardedPolicy(t *testing.T, prefix string) string {
	t.Helper()
	settings := &bucketDouble{kept: map[string]string{"policy": `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*"}}`}}
	server := httptest.NewServer(settings)
	t.Cleanup(server.Close)
	s := newS3(t, store.S3Options{Bucket: fakeBucket, Prefix: prefix, Endpoint: server.URL, Lookup: lookup(map[string]string{
		"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "x", "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull})})
	if _, err := s.Bootstrap(t.Context(), store.BucketRules{Targets: []string{"acme/staging"}, PlanDays: 30, VersionDays: 100}, true); err != nil {
		t.Fatal(err)
	}
	return settings.kept["policy"]
}

// asWrite is a request to the bucket as its policy sees it; false for one that writes
// no object.
func asWrite(r *http.Request) (s3Request, bool) {
	query := r.URL.Query()
	_, begins := query["uploads"]
	if r.Method != http.MethodPut && (r.Method != http.MethodPost || !begins && query.Get("uploadId") == "") {
		return s3Request{}, false
	}
	a := s3Request{action: "s3:PutObject", resource: "arn:aws:s3:::" + strings.TrimPrefix(r.URL.Path, "/"), keys: map[string]string{"aws:SecureTransport": "true", "s3:ObjectCreationOperation": "true"}}
	if begins || query.Get("partNumber") != "" {
		a.keys["s3:ObjectCreationOperation"] = "false"
	}
	if value := r.Header.Get("If-None-Match"); value != "" {
		a.keys["s3:if-none-match"] = value
	}
	return a, true
}

// writtenOnce has an object of each kind that is written once, overwritten what the tool
// writes as it likes.
var (
	writtenOnce = []string{"acme/requests/r.json", "acme/requests/by-commit/s/1-r", "acme/pulls/1/1-r", "acme/ledger/9999999998-1.json",
		"acme/staging/ledger/9999999998-1.json", "acme/staging/queue/1-r", "acme/staging/plans/r/0001/begun.json", "acme/staging/plans/r/0001/artifacts.sealed",
		"acme/staging/plans/r/0001/apply-0000000003.json", "acme/staging/kept/r/0001/receipt.json", "acme/staging/replaced/20300101T000000.000000000Z.json", "acme/staging/applied/1-r.json", "acme/staging/keys/k.sealed",
		"_metapipe/open/acme/1-r", "_metapipe/tokens/t", "_metapipe/rejected/1-1.json", "_metapipe/ledger/9999999998-1.json", "_metapipe/scans/begun/s.json",
		"_metapipe/scans/issues/1-s.json", "_metapipe/scans/results/s/acme/staging"}
	overwritten = []string{"acme/staging/terraform.tfstate", "acme/staging/terraform.tfstate.tflock", "acme/plans/terraform.tfstate", "acme/queue/terraform.tfstate", "acme/keys/terraform.tfstate", "acme/replaced/terraform.tfstate", "replaced/staging/terraform.tfstate",
		"plans/staging/terraform.tfstate", "ledger/staging/terraform.tfstate", "requests/pulls-1/terraform.tfstate.tflock"}
)

// TestBucketGuards: the bucket takes everything that the client writes, refuses to
// overwrite what is written once, and leaves states and locks to the tool.
func TestBucketGuards(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{"", "live", "a/b"} {
		policy := guardedPolicy(t, prefix)
		fake := newFakeS3(t, true)
		refused := 0
		fake.before = func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
			a, writes := asWrite(r)
			if !writes || allows(t, policy, a) {
				return false
			}
			refused++
			refusal{status: http.StatusForbidden, code: "AccessDenied", message: "by the bucket's policy"}.write(w)
			return true
		}
		s := newS3(t, store.S3Options{Bucket: fakeBucket, Prefix: prefix, Lookup: lookup(fake.environ())})
		for _, key := range writtenOnce {
			if err := s.Create(t.Context(), key, strings.NewReader("x")); err != nil {
				t.Errorf("%q: %s cannot be created: %v", prefix, key, err)
			}
		}
		if err := s.Create(t.Context(), "acme/staging/plans/r/0002/artifacts.sealed", bytes.NewReader(make([]byte, 9<<20))); err != nil {
			t.Errorf("%q: a large plan cannot be created: %v", prefix, err)
		}
		if refused > 0 {
			t.Errorf("%q: the bucket refused %d writes of the client", prefix, refused)
		}
		at := "arn:aws:s3:::" + fakeBucket + "/" + strings.TrimPrefix(prefix+"/", "/")
		plain := func() map[string]string {
			return map[string]string{"aws:SecureTransport": "true", "s3:ObjectCreationOperation": "true"}
		}
		for _, key := range writtenOnce {
			if allows(t, policy, s3Request{action: "s3:PutObject", resource: at + key, keys: plain()}) {
				t.Errorf("%q: %s may be overwritten", prefix, key)
			}
		}
		for _, key := range overwritten {
			if !allows(t, policy, s3Request{action: "s3:PutObject", resource: at + key, keys: plain()}) {
				t.Errorf("%q: the tool may not write %s", prefix, key)
			}
		}
		through := plain()
		through["s3:DataAccessPointArn"] = "arn:aws:s3:eu-central-1:123456789012:accesspoint/back-door"
		if allows(t, policy, s3Request{action: "s3:GetObject", resource: at + "acme/staging/terraform.tfstate", keys: through}) {
			t.Errorf("%q: an access point leads around the policies", prefix)
		}
	}
}

// TestRolesAndKMS asks the printed policies for data keys: a role seals for its own
// environment, and of others it opens the records at most.
func TestRolesAndKMS(t *testing.T) {
	t.Parallel()
	scope := store.Scope{Bucket: pipeline.Bucket{Name: "states"}, Customer: "shop", Environment: "staging", SealingKeys: []string{"alias/plans"}}
	encryptionContext := func(customer, env, kind string) map[string]string {
		keys := map[string]string{"kms:ResourceAliases": "alias/plans", "kms:EncryptionContext:metapipe:customer": customer}
		if env != "" {
			keys["kms:EncryptionContext:metapipe:environment"] = env
		}
		if kind != "" {
			keys["kms:EncryptionContext:metapipe:kind"] = kind
		}
		return keys
	}
	const open, seal = "kms:Decrypt", "kms:GenerateDataKey"
	for _, c := range []struct {
		role                             store.Role
		action, customer, env, kind, why string
		want                             bool
	}{
		{store.RolePlan, seal, "shop", "staging", "", "its plan", true},
		{store.RolePlan, seal, "shop", "staging", "record", "its record", true},
		{store.RolePlan, seal, "shop", "production", "record", "a record of production", false},
		{store.RolePlan, seal, "shop", "", "record", "a request", false},
		{store.RolePlan, open, "shop", "", "record", "its request", true},
		{store.RolePlan, open, "shop", "production", "", "a plan of production", false},
		{store.RolePlan, open, "shop", "production", "record", "a record of production", false},
		{store.RoleApply, open, "shop", "production", "record", "how production ended", true},
		{store.RoleApply, open, "shop", "production", "", "a plan of production", false},
		{store.RoleApply, seal, "shop", "production", "record", "a record of production", false},
		{store.RoleApply, seal, "shop", "", "record", "a request", false},
		{store.RoleApply, open, "crm", "staging", "record", "a record of another customer", false},
		{store.RoleFetchVars, seal, "shop", "", "record", "a request", true},
		{store.RoleFetchVars, seal, "_metapipe", "", "record", "a rejection", true},
		{store.RoleFetchVars, open, "_metapipe", "", "record", "which customer a repository is", true},
		{store.RoleFetchVars, open, "_metapipe", "", "", "what belongs to no customer and is no record", false},
		{store.RoleFetchVars, open, "crm", "staging", "record", "what another customer applied last", true},
		{store.RoleFetchVars, open, "crm", "staging", "", "a plan of another customer", false},
		{store.RoleReport, open, "shop", "production", "", "what is shown of production", true},
		{store.RoleReport, open, "_metapipe", "", "record", "a rejection", true},
		{store.RoleReport, seal, "shop", "staging", "record", "a record", false},
		{store.RoleReport, seal, "shop", "", "record", "a request", false},
		{store.RoleReport, seal, "shop", "staging", "ledger", "an entry of a ledger", true},
		{store.RoleReport, seal, "shop", "production", "ledger", "an entry of another ledger", true},
		{store.RoleReport, seal, "shop", "", "ledger", "an entry of the customer's ledger", true},
		{store.RoleReport, seal, "crm", "staging", "ledger", "an entry of another customer", false},
		{store.RoleSweep, seal, "shop", "", "ledger", "an entry of the customer's ledger", true},
		{store.RoleSweep, seal, "shop", "production", "ledger", "an entry of another ledger", false},
		{store.RolePlan, seal, "shop", "staging", "ledger", "an entry of its ledger", true},
		{store.RolePlan, seal, "shop", "production", "ledger", "an entry of another ledger", false},
		{store.RoleApply, open, "shop", "production", "ledger", "the ledger of production", false},
		{store.RoleDrift, seal, "shop", "staging", "ledger", "an entry of a ledger", true},
		{store.RoleRekey, seal, "shop", "", "ledger", "an entry of the customer's ledger", true},
		{store.RoleSweep, seal, "shop", "staging", "record", "that a plan is out of use", true},
		{store.RoleSweep, seal, "shop", "", "record", "a request", false},
		{store.RoleDrift, seal, "_metapipe", "", "record", "a scan", true},
		{store.RoleDrift, seal, "shop", "", "record", "a request", false},
		{store.RoleCompliance, seal, "_metapipe", "", "record", "a scan", true},
		{store.RoleCompliance, seal, "shop", "", "ledger", "an entry of the customer's ledger", true},
		{store.RoleCompliance, seal, "shop", "", "record", "a request", false},
		{store.RoleSync, seal, "_metapipe", "", "record", "what a run has left", true},
		{store.RoleSync, seal, "shop", "", "ledger", "an entry of the customer's ledger", true},
		{store.RoleSync, seal, "shop", "", "record", "a request", false},
		{store.RoleSync, open, "shop", "production", "", "a plan", false},
		{store.RoleRekey, seal, "shop", "staging", "record", "the record of the last apply", true},
		{store.RoleRekey, open, "shop", "", "record", "a request", true},
		{store.RoleRekey, seal, "shop", "", "record", "a request", false},
		{store.RoleRekey, open, "_metapipe", "", "record", "which customer a repository is", true},
	} {
		policy, err := store.RolePolicy(c.role, scope)
		if err != nil {
			t.Fatal(err)
		}
		if got := allows(t, string(policy.JSON()), s3Request{action: c.action, resource: "*", keys: encryptionContext(c.customer, c.env, c.kind)}); got != c.want {
			t.Errorf("%s of %s on %s: %v, want %v", c.action, c.role, c.why, got, c.want)
		}
	}
}

// TestRolesRemoveNoRecord: no role may remove what is written once, but for the index of
// open requests and, as rekey, the other indexes, or read the states that an operator has
// replaced.
func TestRolesRemoveNoRecord(t *testing.T) {
	t.Parallel()
	scope := store.Scope{Bucket: pipeline.Bucket{Name: "states"}, Customer: "acme", Environment: "staging"}
	for _, role := range store.Roles() {
		policy, err := store.RolePolicy(role, scope)
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range writtenOnce {
			spent := strings.HasSuffix(key, "artifacts.sealed") || strings.Contains(key, "/open/") || role == store.RoleApply && strings.Contains(key, "/applied/")
			_, entry := record.IndexOf(key)
			spent = spent || role == store.RoleRekey && entry
			if !spent && allows(t, string(policy.JSON()), s3Request{action: "s3:DeleteObject", resource: "arn:aws:s3:::states/" + key}) {
				t.Errorf("%s may remove %s", role, key)
			}
			if strings.Contains(key, "/replaced/") && allows(t, string(policy.JSON()), s3Request{action: "s3:GetObject", resource: "arn:aws:s3:::states/" + key}) {
				t.Errorf("%s may read a state in clear: %s", role, key)
			}
		}
	}
}
