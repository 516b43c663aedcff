package terraform

import (
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/text"
)

// backendAnswer is how the tool quotes an answer to its backend for S3:
// "operation error S3: PutObject, https response error StatusCode: 403, …, api
// error AccessDenied: Access Denied".
var backendAnswer = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`operation error (S3|DynamoDB): ([A-Za-z0-9]+),[^\n]*?\bapi error ([A-Za-z0-9.]+)`)
})

// backendCause says what the server of the state has answered, and which
// permission is missing where that is the reason; empty when no diagnostic says so.
func (w *workspace) backendCause(diagnostics []pipeline.Diagnostic) string {
	for _, d := range diagnostics {
		// The tool breaks long lines, but leaves a number of blanks where it does.
		line := text.OneLine(d.Summary + " " + d.Detail)
		found := backendAnswer().FindStringSubmatch(line)
		if d.Warning || found == nil {
			continue
		}
		service, operation, code := found[1], found[2], found[3]
		cause := fmt.Sprintf("%s answered %s with %s", service, operation, code)
		switch code {
		case "AccessDenied", "AccessDeniedException", "Forbidden":
			return cause + ": allow " + w.missingPermission(service, operation, strings.Contains(strings.ToLower(line), "lock"))
		}
		return cause
	}
	return ""
}

// missingPermission is the IAM action of an operation, and what it is needed on.
// Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
func (w *workspace) missingPermission(service, operation string, lock bool) string {
	config := w.job.Backend.Config
	bucket, key := "s3://"+config["bucket"], config["key"]
	if service == "DynamoDB" {
		return "dynamodb:" + operation + " on the table " + config["dynamodb_table"]
	}
	if lock {
		key += ".tflock"
	}
	switch {
	case strings.HasPrefix(operation, "List"):
		return fmt.Sprintf("s3:ListBucket on %s for the prefix %q", bucket, config["key"])
	case operation == "HeadObject":
		operation = "GetObject"
	}
	permission := "s3:" + operation + " on " + bucket + "/" + key
	if config["kms_key_id"] != "" {
		permission += ", and kms:GenerateDataKey and kms:Decrypt on " + config["kms_key_id"]
	}
	return permission
}
