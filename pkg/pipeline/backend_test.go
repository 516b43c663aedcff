package pipeline_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

func TestBackends(t *testing.T) {
	t.Parallel()
	template := pipeline.Backend{Type: "http", Config: map[string]string{"address": "https://states/{{ customer }}/{{ environment }}", "password": "x", "lock_method": "PUT"}}
	for _, c := range []struct {
		state pipeline.State
		want  pipeline.Backend
		text  string
	}{
		{pipeline.State{}, pipeline.Backend{Type: "local", Config: map[string]string{"path": "/s/shop/staging/terraform.tfstate"}}, "/s/shop/staging/terraform.tfstate"},
		{pipeline.State{Bucket: pipeline.Bucket{Name: "b", Region: "eu-central-1", Prefix: "a/b"}},
			pipeline.Backend{Type: "s3", Config: map[string]string{"bucket": "b", "key": "a/b/shop/staging/terraform.tfstate", "region": "eu-central-1", "encrypt": "true", "use_lockfile": "true"}},
			"s3://b/a/b/shop/staging/terraform.tfstate"},
		{pipeline.State{Bucket: pipeline.Bucket{Name: "b", KMSKey: "alias/k", LockTable: "locks"}},
			pipeline.Backend{Type: "s3", Config: map[string]string{"bucket": "b", "key": "shop/staging/terraform.tfstate", "encrypt": "true", "kms_key_id": "alias/k", "dynamodb_table": "locks"}},
			"s3://b/shop/staging/terraform.tfstate"},
		{pipeline.State{Bucket: pipeline.Bucket{Name: "b"}, Backend: template},
			pipeline.Backend{Type: "http", Config: map[string]string{"address": "https://states/shop/staging", "password": "x", "lock_method": "PUT"}},
			`http(address="https://states/shop/staging", lock_method="PUT")`},
	} {
		got := c.state.Target(pipeline.Target{Customer: "shop", Environment: "staging"}, "/s")
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Error(diff)
		}
		if got.String() != c.text {
			t.Errorf("named %q, want %q", got, c.text)
		}
	}
	if template.Config["address"] != "https://states/{{ customer }}/{{ environment }}" {
		t.Error("the template itself was filled in")
	}
	if s := (pipeline.Backend{}); !s.Zero() || s.String() != "scratch" || s.Path() != "" {
		t.Errorf("the zero value is %q", s)
	}
}

func TestSecretArgument(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"password": true, "access_key": true, "secret_key": true, "token": true, "sas_token": true, "client_secret": true, "credentials": true,
		"client_certificate_path": true, "encryption_key": true, "Access_Key": true, "conn_str": true,
		"bucket": false, "key": false, "kms_key_id": false, "prefix": false, "storage_account_name": false, "use_oidc": false, "username": false, "role_arn": false, "secret_suffix": false, "skip_credentials_validation": false,
	} {
		if got := pipeline.SecretArgument(name); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
