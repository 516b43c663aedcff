package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/metapipe/metapipe/pkg/text"
)

// How long a server may be silent. A part of 8 MiB has callTimeout in all, with
// every retry; reading an object has no limit but stallTimeout between bytes.
const (
	stallTimeout = time.Minute
	callTimeout  = 5 * time.Minute
)

// errStalled is the end of a reader whose server went silent.
var errStalled = errors.New("the server sends nothing any more")

// errorCode is the code of an answer; empty when err is no answer.
func errorCode(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// awsError is an answer of S3, KMS or STS in one line.
type awsError struct {
	code, message string
	status        int
	request       string // the id that the support of AWS asks for
	region        string // of the bucket, where the server gives it
	service       string // S3 or STS
	operation     string // such as PutObject
	err           error
}

func (e *awsError) Error() string {
	var line strings.Builder
	if e.service == "STS" {
		line.WriteString("take a role by " + e.operation + ": ")
	}
	line.WriteString(e.code)
	if e.message != "" && e.message != e.code {
		line.WriteString(": " + e.message)
	}
	if e.status != 0 {
		fmt.Fprintf(&line, " (HTTP %d", e.status)
		if e.request != "" {
			line.WriteString(", request " + e.request)
		}
		line.WriteString(")")
	}
	return line.String()
}

func (e *awsError) Unwrap() error { return e.err }

// answer returns what the server said; nil when err is none of its answers.
func answer(err error) *awsError {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return nil
	}
	e := &awsError{code: api.ErrorCode(), message: api.ErrorMessage(), err: err}
	var operation *smithy.OperationError
	for at := err; errors.As(at, &operation); at = operation.Err {
		// The innermost counts: credentials are fetched within another call.
		e.service, e.operation = operation.ServiceID, operation.OperationName
	}
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) && response.Response != nil {
		e.status = response.HTTPStatusCode()
		e.request = response.Response.Header.Get("X-Amz-Request-Id")
		e.region = response.Response.Header.Get("X-Amz-Bucket-Region")
	}
	if found := regionInMessage().FindStringSubmatch(e.message); e.region == "" && found != nil {
		e.region = found[1]
	}
	return e
}

// regionInMessage: "the region 'us-east-1' is wrong; expecting 'eu-central-1'".
var regionInMessage = text.Pattern(`expecting '([a-z0-9-]{1,40})'`)

// unreachable reports whether err is about the connection, not from the body of
// a caller.
func unreachable(err error) bool {
	var send *smithyhttp.RequestSendError
	var operation *smithy.OperationError
	return errors.As(err, &send) || errors.As(err, &operation) || errors.Is(err, errStalled) || errors.Is(err, context.DeadlineExceeded)
}

func nextOfRole(e *awsError) string {
	if e.code == "AccessDenied" {
		return "let the trust policy of the role allow sts:AssumeRoleWithWebIdentity to this repository and environment"
	}
	return "AWS does not accept the token of this run: it must be fresh, and the account needs its issuer as an OpenID Connect provider with the token's audience"
}
