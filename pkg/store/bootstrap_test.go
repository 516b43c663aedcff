package store_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/store"
	"github.com/metapipe/metapipe/pkg/store/miniotest"
)

var updatePolicies = flag.Bool("update", false, "write docs/iam anew")

// exampleScope is what the policies in docs/iam are cut to.
var exampleScope = store.Scope{Bucket: pipeline.Bucket{Name: "example-state-bucket", Region: "eu-central-1", KMSKey: "alias/terraform-state"},
	Customer: "example-customer", Environment: "staging", SealingKeys: []string{"arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"}}

func TestPolicyDocuments(t *testing.T) {
	t.Parallel()
	dir := filepath.Join("..", "..", "docs", "iam")
	for _, role := range store.Roles() {
		policy, err := store.RolePolicy(role, exampleScope)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, string(role)+".json")
		if *updatePolicies {
			if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(file, policy.JSON(), 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(policy.JSON())); diff != "" {
			t.Errorf("%s (run with -update when it is right):\n%s", file, diff)
		}
	}
	if _, err := store.RolePolicy("root", exampleScope); err == nil {
		t.Error("there is a role root")
	}
}

// TestPolicies tries each role on a real policy engine: with what its command does,
// and with the same in the prefix of another customer.
func TestPolicies(t *testing.T) {
	t.Parallel()
	server := miniotest.Start(t, miniotest.Options{})
	server.Bucket(t, "tenants", true)
	all := newS3(t, store.S3Options{Bucket: "tenants", Prefix: "t", Lookup: lookup(server.Environ(server.Root()))})
	state, plan, request, used := "/staging/terraform.tfstate", "/staging/plans/r/0001/", "/requests/r.json", "/staging/plans/r/0002/artifacts.sealed"
	for _, c := range []string{"acme", "other"} {
		for _, key := range []string{state, plan + "receipt.json", plan + "artifacts.sealed", "/production/plans/r/0001/planned.json", request, "/staging/queue/1-r", "/pulls/1/1-r", "/staging/applied/o.json", "/ledger/1.json"} {
			if err := all.Create(t.Context(), c+key, strings.NewReader("x")); err != nil && !strings.HasSuffix(key, ".tfstate") {
				t.Fatal(err)
			}
		}
		client := server.Client(server.Root())
		if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("tenants"), Key: aws.String("t/" + c + state), Body: strings.NewReader("{}")}); err != nil {
			t.Fatal(err)
		}
	}
	for role, may := range map[store.Role]struct{ read, list, create, remove, never []string }{
		store.RoleFetchVars: {[]string{request}, []string{"/staging/queue/", "/pulls/1/"}, []string{"/requests/n.json", "/staging/queue/2-n", "/pulls/1/2-n"}, nil, []string{plan + "artifacts.sealed", state}},
		store.RolePlan:      {[]string{request, state, plan + "artifacts.sealed"}, []string{"/staging/queue/", "/staging/plans/r/", "/pulls/1/"}, []string{plan + "new"}, nil, []string{"/production/plans/r/0001/planned.json"}},
		store.RoleApply:     {[]string{request, state, plan + "artifacts.sealed", "/production/plans/r/0001/planned.json"}, []string{"/staging/queue/", "/production/plans/r/"}, []string{plan + "apply-0000000003.json", "/staging/applied/n.json"}, []string{used, "/staging/applied/n.json"}, nil},
		store.RoleReport:    {[]string{request, plan + "receipt.json"}, []string{"/staging/queue/", "/pulls/1/", "/production/plans/r/"}, nil, []string{used}, []string{state, plan + "artifacts.sealed"}},
		store.RoleRekey: {[]string{request, "/staging/applied/o.json", "/staging/queue/1-r", plan + "receipt.json"}, nil, []string{"/staging/applied/r.json", "/staging/queue/3-n", "/pulls/1/3-n", "/requests/by-commit/s/3-n"},
			[]string{"/staging/queue/3-n", "/pulls/1/3-n", "/requests/by-commit/s/3-n"}, []string{state, plan + "artifacts.sealed"}},
		store.RoleCompliance: {[]string{"/ledger/1.json"}, []string{"/ledger/"}, []string{"/ledger/2"}, nil, []string{state, request, plan + "artifacts.sealed"}},
		store.RoleSync:       {[]string{"/ledger/1.json"}, []string{"/ledger/"}, []string{"/ledger/n.json"}, nil, []string{state, request, plan + "artifacts.sealed", plan + "receipt.json"}},
		store.RoleDrift:      {[]string{state, request, plan + "receipt.json"}, []string{"/staging/plans/r/"}, nil, nil, []string{plan + "artifacts.sealed", "/production/plans/r/0001/planned.json"}},
	} {
		t.Run(string(role), func(t *testing.T) {
			t.Parallel()
			policy, err := store.RolePolicy(role, store.Scope{Bucket: pipeline.Bucket{Name: "tenants", Prefix: "t"}, Customer: "acme", Environment: "staging"})
			if err != nil {
				t.Fatal(err)
			}
			for i := range policy.Statement {
				policy.Statement[i].Sid = ""
			}
			compact, err := json.Marshal(policy) // a session takes 2,048 characters
			if err != nil {
				t.Fatal(err)
			}
			s := newS3(t, store.S3Options{Bucket: "tenants", Prefix: "t", Lookup: lookup(server.Environ(server.Session(t, regexp.MustCompile(`\[("[^"]*")\]`).ReplaceAllString(string(compact), "$1"))))})
			if _, err := s.Folders(t.Context(), ""); (err == nil) != (role == store.RoleFetchVars || role == store.RoleRekey) {
				t.Errorf("list the names: %v", err)
			}
			if _, err := s.List(t.Context(), "other/staging/applied/"); (err == nil) != (role == store.RoleFetchVars || role == store.RoleRekey) {
				t.Errorf("list what another customer applied last: %v", err) // a renamed customer has another name
			}
			for customer, allowed := range map[string]bool{"acme": true, "other": false} {
				expect := func(what, key string, err error, good bool) {
					t.Helper()
					if good != (err == nil) {
						t.Errorf("%s %s%s: %v", what, customer, key, err)
					}
				}
				for _, key := range may.read {
					expect("read", key, open(t, s, customer+key), allowed)
				}
				for _, key := range may.never {
					expect("read", key, open(t, s, customer+key), false)
				}
				for _, prefix := range may.list {
					_, err := s.List(t.Context(), customer+prefix)
					expect("list", prefix, err, allowed)
				}
				for _, key := range may.create {
					expect("create", key, s.Create(t.Context(), customer+key, strings.NewReader("y")), allowed)
				}
				for _, key := range may.remove {
					expect("remove", key, s.Delete(t.Context(), customer+key), allowed)
				}
				for _, stored := range []string{"receipt.json", "apply-0000000003.json"} { // no one may undo what was written once
					expect("remove", plan+stored, s.Delete(t.Context(), customer+plan+stored), false)
				}
				if len(may.create) == 0 {
					expect("create", plan+"x", s.Create(t.Context(), customer+plan+"x", strings.NewReader("y")), false)
				}
			}
			if _, err := s.List(t.Context(), ""); (err == nil) != (role == store.RoleRekey) {
				t.Errorf("list the whole store: %v", err)
			}
			err = open(t, s, "acme"+may.read[0]+".gone")
			if role == store.RoleReport && !errors.Is(err, pipeline.ErrNotFound) {
				t.Logf("a missing object: %v", err)
			}
		})
	}
}

func open(t *testing.T, s *store.S3, key string) error {
	t.Helper()
	r, err := s.Open(t.Context(), key)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, r)
	return errors.Join(err, r.Close())
}

func states(steps []store.Step) map[string]string {
	m := map[string]string{}
	for _, s := range steps {
		m[s.Name] = s.State
	}
	return m
}

var bucketRules = store.BucketRules{LogBucket: "logs", Targets: []string{"acme/staging", "acme/production"}, PlanDays: 30, VersionDays: 100}

// TestBootstrapOnMinIO sets up a bucket of a real server, as far as that goes.
func TestBootstrapOnMinIO(t *testing.T) {
	t.Parallel()
	server := miniotest.Start(t, miniotest.Options{KMS: true})
	s := newS3(t, store.S3Options{Bucket: "fresh", Lookup: lookup(server.Environ(server.Root()))})
	rules := bucketRules
	rules.LogBucket = "" // it has no access log
	bootstrap := func(apply bool) map[string]string {
		steps, err := s.Bootstrap(t.Context(), rules, apply)
		if err != nil {
			t.Fatal(err)
		}
		return states(steps)
	}
	for name, state := range bootstrap(false) {
		if state != store.StepMissing && name != "access log" {
			t.Errorf("before: %s is %s", name, state)
		}
	}
	if _, err := s.List(t.Context(), ""); err == nil {
		t.Error("a dry run made the bucket")
	}
	supported := map[string]bool{"bucket": true, "versioning": true, "encryption": true, "TLS only": true, "lifecycle": true}
	for i, want := range []string{store.StepChanged, store.StepGood, store.StepGood} {
		got := bootstrap(i < 2)
		for name := range supported {
			if got[name] != want {
				t.Errorf("round %d: %s is %s, want %s", i, name, got[name], want)
			}
		}
	}
}

// TestBootstrap holds every setting against a server that keeps what it is told,
// and the policies and rules of others.
func TestBootstrap(t *testing.T) {
	t.Parallel()
	settings := &bucketDouble{kept: map[string]string{
		"policy":    `{"Version":"2012-10-17","Statement":{"Sid":"Theirs","Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"x"}}`,
		"lifecycle": `<LifecycleConfiguration><Rule><ID>theirs</ID><Status>Enabled</Status><Filter><Prefix>logs/</Prefix></Filter><Expiration><Days>3</Days></Expiration></Rule></LifecycleConfiguration>`,
	}}
	server := httptest.NewServer(settings)
	t.Cleanup(server.Close)
	s := newS3(t, store.S3Options{Bucket: "tf-states", Encryption: store.EncryptionKMS, KMSKeyID: "alias/states", Endpoint: server.URL, Lookup: lookup(map[string]string{
		"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "x", "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull})})
	for i, want := range []string{store.StepMissing, store.StepChanged, store.StepGood} {
		steps, err := s.Bootstrap(t.Context(), bucketRules, i == 1)
		if err != nil {
			t.Fatal(err)
		}
		for name, state := range states(steps) {
			if state != want {
				t.Errorf("round %d: %s is %s, want %s", i, name, state, want)
			}
		}
	}
	var policy struct{ Statement []struct{ Sid string } }
	if err := json.Unmarshal([]byte(settings.kept["policy"]), &policy); err != nil || len(policy.Statement) != 4 || policy.Statement[0].Sid != "Theirs" {
		t.Errorf("the policy is %s: %v", settings.kept["policy"], err)
	}
	if rules := settings.kept["lifecycle"]; !strings.Contains(rules, "theirs") || !strings.Contains(rules, "acme/staging/plans/") {
		t.Errorf("the rules are %s", rules)
	}
	if !strings.Contains(settings.kept[""], "eu-central-1") || !strings.Contains(settings.kept["encryption"], "alias/states") || !strings.Contains(settings.kept["logging"], "logs") {
		t.Errorf("kept %v", settings.kept)
	}
	writes := settings.writes
	if _, err := s.Bootstrap(t.Context(), bucketRules, true); err != nil || settings.writes != writes {
		t.Errorf("what is good was written again: %d writes, %v", settings.writes-writes, err)
	}
	settings.deny = "publicAccessBlock"
	if _, err := s.Bootstrap(t.Context(), bucketRules, true); err == nil || !strings.Contains(err.Error(), "allow s3:GetBucketPublicAccessBlock on arn:aws:s3:::tf-states") {
		t.Errorf("denied: %v", err)
	}
}

// TestLifecycleRules holds what has an end and what must not have one, also where
// there are more targets than rules.
func TestLifecycleRules(t *testing.T) {
	t.Parallel()
	targets := func(n int) []string {
		var all []string
		for i := range n/2 + 1 {
			all = append(all, fmt.Sprintf("c%d/staging", i), fmt.Sprintf("c%d/production", i))
		}
		return all[:n]
	}
	for _, c := range []struct {
		targets            int
		rules              int
		ends, stays, about string
	}{
		{2, 2 + 2 + 2 + 2 + 2 + 4, "c0/staging/queue/ c0/requests/ c0/pulls/ c0/production/plans/ _metapipe/tokens/ _metapipe/scans/results/ _metapipe/compliance/history/", "_metapipe/compliance/issue/x c0/staging/applied/ c0/staging/kept/ c0/staging/ledger/ c0/staging/terraform.tfstate", "plans go after 90 days, requests and their index after 155, "},
		{400, 2 + 400, "c0/staging/plans/ c199/production/plans/", "c0/staging/queue/ c0/requests/", "too many for rules for their requests"},
		{999, 2, "", "c0/staging/plans/", "too many for a rule each"},
	} {
		settings := &bucketDouble{kept: map[string]string{}}
		server := httptest.NewServer(settings)
		t.Cleanup(server.Close)
		s := newS3(t, store.S3Options{Bucket: "tf-states", Endpoint: server.URL, Lookup: lookup(map[string]string{
			"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "x", "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull})})
		steps, err := s.Bootstrap(t.Context(), store.BucketRules{Targets: targets(c.targets), PlanDays: 90, VersionDays: 365}, true)
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range steps {
			if step.Name == "lifecycle" && !strings.Contains(step.Detail, c.about) {
				t.Errorf("%d targets: %s", c.targets, step.Detail)
			}
		}
		text := settings.kept["lifecycle"]
		if n := strings.Count(text, "<Rule>"); n != c.rules {
			t.Errorf("%d targets: %d rules, want %d", c.targets, n, c.rules)
		}
		for _, prefix := range strings.Fields(c.ends) {
			if !strings.Contains(text, "<Prefix>"+prefix+"</Prefix>") {
				t.Errorf("%d targets: %s has no end", c.targets, prefix)
			}
		}
		prefixes := regexp.MustCompile(`<Prefix>([^<]+)</Prefix>`).FindAllStringSubmatch(text, -1)
		for _, key := range strings.Fields(c.stays) {
			for _, p := range prefixes {
				if strings.HasPrefix(key, p[1]) {
					t.Errorf("%d targets: %s ends by the rule for %s", c.targets, key, p[1])
				}
			}
		}
	}
}

// bucketDouble keeps the settings of one bucket by the name of their query.
type bucketDouble struct {
	mutex  sync.Mutex
	kept   map[string]string
	writes int
	deny   string
}

var absentCodes = map[string]string{"encryption": "ServerSideEncryptionConfigurationNotFoundError", "publicAccessBlock": "NoSuchPublicAccessBlockConfiguration",
	"ownershipControls": "OwnershipControlsNotFoundError", "policy": "NoSuchBucketPolicy", "lifecycle": "NoSuchLifecycleConfiguration"}

func (b *bucketDouble) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	name := ""
	for key := range r.URL.Query() {
		if key != "x-id" {
			name = key
		}
	}
	body, err := io.ReadAll(r.Body)
	content, there := b.kept[name]
	fail := func(status int, code string) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "<Error><Code>"+code+"</Code><Message>m</Message></Error>")
	}
	switch {
	case err != nil:
		fail(http.StatusBadRequest, "IncompleteBody")
	case b.deny != "" && name == b.deny:
		fail(http.StatusForbidden, "AccessDenied")
	case r.Method == http.MethodPut:
		b.kept[name] = string(body)
		b.writes++
	case there:
		_, _ = io.WriteString(w, content)
	case name == "versioning" || name == "logging":
		_, _ = io.WriteString(w, "<X></X>")
	case name == "":
		w.WriteHeader(http.StatusNotFound)
	default:
		fail(http.StatusNotFound, absentCodes[name])
	}
}
