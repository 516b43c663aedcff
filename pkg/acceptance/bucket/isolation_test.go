package bucket

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/store"
	"github.com/metapipe/metapipe/pkg/store/miniotest"
)

// wideRole is a bucket with a role that may do everything in it, for whoever has
// an ID token of the manager.
func wideRole(t *testing.T, w *fixture.Setup) fixture.Tenant {
	t.Helper()
	b := fixture.Tenant{T: t, Server: miniotest.Start(t, miniotest.Options{KMS: true, OpenID: &miniotest.OpenID{ConfigURL: w.Hub.Issuer() + "/.well-known/openid-configuration",
		ClientID: store.SessionAudience, Policy: "readwrite"}}), Bucket: pipeline.Bucket{Name: "provider-states"}}
	b.Server.Bucket(t, b.Bucket.Name, true)
	return b
}

// hosted is the environment of a job that has the keys of root in every place
// where tools look for keys.
func hosted(b fixture.Tenant, j *fixture.Job) *fixture.Job {
	t := b.T
	t.Helper()
	profile := filepath.Join(j.Dir, "credentials")
	fixture.Check(t, os.WriteFile(profile, []byte("[default]\naws_access_key_id = "+b.Server.AccessKey+"\naws_secret_access_key = "+b.Server.SecretKey+"\n"), 0o600))
	for name, value := range b.Server.Environ(b.Server.Root()) {
		j.With(name + "=" + value)
	}
	return j.With("METAPIPE_STORE=", "TF_STATE_BUCKET="+b.Bucket.Name, "RUNNER_ENVIRONMENT=github-hosted",
		"AWS_SHARED_CREDENTIALS_FILE="+profile, "AWS_PROFILE=default", "AWS_CONTAINER_CREDENTIALS_FULL_URI="+b.Server.Endpoint+"/keys", "AWS_EC2_METADATA_DISABLED=false")
}

// environment reads the variables that a command of the tool has written down.
func environment(t *testing.T, file string) map[string]string {
	t.Helper()
	values := map[string]string{}
	for _, pair := range strings.Split(string(fixture.Must(os.ReadFile(file))(t)), "\x00") {
		name, value, _ := strings.Cut(pair, "=")
		values[name] = value
	}
	return values
}

// TestTargetHasItsCredentialsOnly applies with a role that may do everything, and
// does with the credentials that the tool got what an attacker in it would do.
func TestTargetHasItsCredentialsOnly(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, nil)
	b := wideRole(t, w)
	w.Commit(w.Manager, "main", map[string]string{"customers/shop.yml": fixture.ManagerFiles["customers/shop.yml"] + "role: " + b.Server.RoleARN + "\n"})
	seen := filepath.Join(t.TempDir(), "environment")
	run := w.Push("main", map[string]string{"infra/variables.yml": fixture.VariablesYML + "command: env -0 > " + seen + "\n"})
	trigger := w.NewJob(run).Start("trigger")
	r := &fixture.Request{W: w, Trigger: run, Run: w.Queued()}
	r.Run.PermitsIDToken = true
	fetched := hosted(b, w.NewJob(r.Run)).Do(0, "fetch-vars")
	r.Customer, r.ID = fetched.Outputs["customer"], fetched.Outputs["request-id"]
	if end := trigger.Wait(); end.Exit != 0 {
		t.Fatal(end.Log)
	}
	hosted(b, w.NewJob(r.Run)).Do(0, r.Args("plan", "staging")...).Want(t, "outcome=waiting")
	hosted(b, w.NewJob(r.Run)).Do(0, r.Args("apply", "staging")...).Want(t, "outcome=applied")
	hosted(b, w.NewJob(r.Run)).Do(0, "report", "--customer", r.Customer, "--request", r.ID, "--final").Want(t, "outcome=success")
	w.WantNothingPending()

	// A scan for drift has the keys of the job, and gives each target its own.
	looked := filepath.Join(t.TempDir(), "environment")
	tool := filepath.Join(t.TempDir(), "terraform")
	fixture.Check(t, os.WriteFile(tool, fmt.Appendf(nil, "#!/bin/sh\n[ \"$1\" != plan ] || env -0 > %s\nexec %s \"$@\"\n", looked, fixture.Must(exec.LookPath("terraform"))(t)), 0o700))
	hosted(b, w.NewJob(r.Run)).With("METAPIPE_TOOL="+tool).Do(0, "drift").Want(t, "targets=2", "found=0", "errors=0")
	for _, file := range []string{seen, looked} {
		wantAlone(b, environment(t, file))
	}
}

// wantAlone looks for what leads the tool to other credentials than its own, and
// tries those.
func wantAlone(b fixture.Tenant, env map[string]string) {
	t := b.T
	t.Helper()
	for name, value := range env {
		if strings.Contains(value, b.Server.SecretKey) || strings.Contains(value, b.Server.AccessKey) {
			t.Errorf("%s leads the tool to the keys of the job", name)
		}
	}
	for _, name := range []string{"AWS_PROFILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_WEB_IDENTITY_TOKEN_FILE", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "METAPIPE_KEY"} {
		if value, set := env[name]; set {
			t.Errorf("the tool sees %s=%s", name, value)
		}
	}
	if env["AWS_SHARED_CREDENTIALS_FILE"] != os.DevNull || env["AWS_EC2_METADATA_DISABLED"] != "true" {
		t.Errorf("the tool may look for other credentials: %q, %q", env["AWS_SHARED_CREDENTIALS_FILE"], env["AWS_EC2_METADATA_DISABLED"])
	}
	session := miniotest.Credentials{AccessKey: env["AWS_ACCESS_KEY_ID"], SecretKey: env["AWS_SECRET_ACCESS_KEY"], Token: env["AWS_SESSION_TOKEN"]}
	if session.Token == "" || session.AccessKey == "" {
		t.Fatal("the tool has no session")
	}
	wantConfined(b, session)
}

// wantConfined tries what a session for shop/staging may do, and may not.
func wantConfined(b fixture.Tenant, session miniotest.Credentials) {
	t, bucket := b.T, &b.Bucket.Name
	t.Helper()
	root, client := b.Server.Client(b.Server.Root()), b.Server.Client(session)
	foreign := []string{"blog/staging/terraform.tfstate", "shop2/staging/terraform.tfstate", "shop/production/terraform.tfstate", "_metapipe/tokens/x", "top"}
	for _, key := range append([]string{"shop/staging/terraform.tfstate"}, foreign...) {
		fixture.Must(root.PutObject(t.Context(), &s3.PutObjectInput{Bucket: bucket, Key: &key, Body: strings.NewReader("theirs")}))(t)
	}
	type attempt struct {
		what string
		do   func(key, prefix string) error
	}
	attempts := []attempt{
		{"read", func(key, _ string) error {
			_, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: &key})
			return err
		}},
		{"write", func(key, _ string) error {
			_, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: bucket, Key: &key, Body: strings.NewReader("mine")})
			return err
		}},
		{"lock", func(key, _ string) error {
			key += ".tflock"
			_, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: bucket, Key: &key, Body: strings.NewReader("mine")})
			return err
		}},
		{"list", func(_, prefix string) error {
			_, err := client.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: bucket, Prefix: &prefix})
			return err
		}},
		{"delete", func(key, _ string) error {
			_, err := client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: bucket, Key: &key})
			return err
		}},
		{"copy", func(key, _ string) error {
			from, to := *bucket+"/"+key, "shop/staging/copied"
			_, err := client.CopyObject(t.Context(), &s3.CopyObjectInput{Bucket: bucket, Key: &to, CopySource: &from})
			return err
		}},
	}
	for _, a := range attempts {
		for _, key := range foreign {
			var refused smithy.APIError
			if err := a.do(key, key); !errors.As(err, &refused) || refused.ErrorCode() != "AccessDenied" {
				t.Errorf("a session for shop/staging may %s %s: %v", a.what, key, err)
			}
		}
		if err := a.do("shop/staging/terraform.tfstate", "shop/staging/"); err != nil && a.what != "copy" {
			t.Errorf("a session for shop/staging may not %s its own: %v", a.what, err)
		}
	}
	for _, prefix := range []string{"", "shop", "shop/", "blog/"} {
		if _, err := client.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: bucket, Prefix: &prefix}); err == nil {
			t.Errorf("a session for shop/staging lists %q", prefix)
		}
	}
	for _, key := range foreign {
		out := fixture.Must(root.GetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: &key}))(t)
		if body := fixture.Must(io.ReadAll(out.Body))(t); !bytes.Equal(body, []byte("theirs")) {
			t.Errorf("%s is %q now", key, body)
		}
		fixture.Check(t, out.Body.Close())
	}
}
