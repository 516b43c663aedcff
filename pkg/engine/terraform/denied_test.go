package terraform

import (
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

func TestBackendCause(t *testing.T) {
	t.Parallel()
	backend := pipeline.Backend{Type: "s3", Config: map[string]string{"bucket": "states", "key": "shop/staging/terraform.tfstate", "dynamodb_table": "locks"}}
	for _, c := range []struct{ said, want string }{
		{"operation error S3: PutObject, https response error StatusCode: 403, RequestID: x, api error AccessDenied: no", "s3:PutObject on s3://states/shop/staging/terraform.tfstate"},
		{"operation error S3: GetObject,\n  https response error StatusCode: 403,   api error AccessDenied: no", "s3:GetObject on s3://states/shop/staging/terraform.tfstate"},
		{"Error acquiring the state lock: operation error S3: PutObject, StatusCode: 403, api error AccessDenied: no", "s3:PutObject on s3://states/shop/staging/terraform.tfstate.tflock"},
		{"operation error S3: ListObjectsV2, StatusCode: 403, api error AccessDenied: no", `s3:ListBucket on s3://states for the prefix "shop/staging/terraform.tfstate"`},
		{"operation error S3: HeadObject, StatusCode: 403, api error Forbidden: no", "s3:GetObject on s3://states/"},
		{"operation error DynamoDB: PutItem, StatusCode: 400, api error AccessDeniedException: no", "dynamodb:PutItem on the table locks"},
		{"operation error S3: PutObject, StatusCode: 500, api error InternalError: oops", "S3 answered PutObject with InternalError"},
		{"something else", ""},
	} {
		w := &workspace{job: pipeline.Job{Backend: backend}}
		got := w.backendCause([]pipeline.Diagnostic{{Warning: true, Summary: "operation error S3: X, api error Y"}, {Summary: "Failed", Detail: c.said}})
		if !strings.Contains(got, c.want) || c.want == "" && got != "" {
			t.Errorf("%s\n gives %q, want %q", c.said, got, c.want)
		}
	}
	backend.Config["kms_key_id"] = "arn:key"
	w := &workspace{job: pipeline.Job{Backend: backend}}
	if got := w.missingPermission("S3", "PutObject", false); !strings.Contains(got, "kms:GenerateDataKey and kms:Decrypt on arn:key") {
		t.Errorf("%q", got)
	}
}
