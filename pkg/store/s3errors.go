package store

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/metapipe/metapipe/pkg/awsenv"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Answers of S3 that are no failures, or are tried again.
// Source: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
const (
	codePrecondition = "PreconditionFailed"
	codeConflict     = "ConditionalRequestConflict"
	codeAborted      = "OperationAborted"
	codeNoUpload     = "NoSuchUpload"
)

// cause is err in the words of pipeline where it has some, and short otherwise.
// What was put into these words once stays as it is.
func (s *S3) cause(err error) error {
	var done *awsError
	if errors.As(err, &done) {
		return err
	}
	e := answer(err)
	switch {
	case e == nil:
		return err
	case e.code == codePrecondition:
		return pipeline.ErrExists
	case e.code == "NoSuchKey", e.code == "NoSuchVersion",
		// The answer to HEAD has no body and so no code of its own.
		e.code == "NotFound" && e.status == http.StatusNotFound:
		return pipeline.ErrNotFound
	}
	return e
}

// fail wraps the error of an operation. It returns nil when err is nil.
func (s *S3) fail(op, key string, err error) error {
	if err == nil {
		return nil
	}
	cause := s.cause(err)
	return &Error{Op: op, Key: key, Place: s.Place(), Next: s.next(op, key, cause), Err: cause}
}

func (s *S3) next(op, key string, err error) string {
	var e *awsError
	var fromKMS *kmsError
	var noCredentials *awsenv.CredentialsError
	switch {
	case errors.As(err, &fromKMS): // what was to be written could not be sealed; it says itself what to do
		return ""
	case errors.Is(err, pipeline.ErrExists), errors.Is(err, pipeline.ErrNotFound), errors.Is(err, errKey),
		errors.Is(err, context.Canceled):
		return ""
	case errors.As(err, &e):
		return s.nextOfAnswer(key, e)
	case errors.As(err, &noCredentials):
		return "give this step AWS credentials: in Actions, `permissions: id-token: write` and a role by aws-actions/configure-aws-credentials; elsewhere AWS_PROFILE or " +
			"AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
	case strings.Contains(err.Error(), "checksum did not match"):
		return "the object was damaged on its way or in the bucket: run again; if that does not help, restore an older version of it"
	case unreachable(err):
		return "no answer from " + s.server + ": look whether it is up and reachable from here, and whether region and AWS_ENDPOINT_URL_S3 are right; then run again"
	case op == "read":
		return "the connection to " + s.server + " broke: run again"
	}
	return ""
}

// nextOfAnswer says what to do about the answers that are worth a word.
func (s *S3) nextOfAnswer(key string, e *awsError) string {
	if e.service == "STS" {
		return nextOfRole(e)
	}
	if strings.HasPrefix(e.code, "KMS.") || (strings.Contains(strings.ToLower(e.code+e.message), "kms") && e.status != http.StatusForbidden) {
		return "KMS does not encrypt with " + s.keyName() + ": look whether the key exists in " + s.region + ", is enabled, and is the one that is configured"
	}
	switch e.code {
	case "NoSuchBucket", "InvalidBucketName":
		return "there is no bucket " + s.options.Bucket + " at " + s.server + ": create it, or fix its name or region in the configuration"
	case "PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "MovedPermanently", "TemporaryRedirect", "301":
		return s.nextOfRegion(e)
	case "AccessDenied", "AllAccessDisabled", "AccountProblem", "Forbidden", "403":
		return s.nextOfDenial(key, e)
	case "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidSecurity", "NotSignedUp":
		return s.server + " does not accept these credentials: look which AWS_… variables or profile this step has, and make new ones where they were deleted"
	case "ExpiredToken", "ExpiredTokenException", "InvalidToken", "InvalidTokenId", "TokenRefreshRequired", "RequestExpired":
		return "the AWS session of this step has ended or was revoked: take the role again and run again; if a job outlasts it, raise `role-duration-seconds` and the maximum session duration of the role"
	case "RequestTimeTooSkewed", "RequestInTheFuture":
		return "set the clock of this machine; S3 refuses requests that are 15 minutes off"
	case "BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch", "IncompleteBody":
		return "the object was damaged on its way and was not stored: run again"
	case "InvalidObjectState":
		return "the object was moved to an archive: restore it, and let no lifecycle rule of the state bucket move objects"
	case "XMinioStorageFull", "QuotaExceeded", "InsufficientStorage", "XMinioAdminBucketQuotaExceeded":
		return "the server has no room left: free some and run again; nothing was written"
	case codeConflict, codeAborted:
		return "other runs are writing the same object all the time: look whether two jobs of one target run at once, and run again"
	case codeNoUpload:
		return "the server dropped the upload before it was complete: run again"
	case "NotImplemented":
		return s.server + " does not know conditional writes (If-None-Match), without which two runs could overwrite each other: use a server that does"
	}
	if e.status >= http.StatusInternalServerError || e.code == "SlowDown" {
		return s.server + " is failing or overloaded: run again in a few minutes"
	}
	return ""
}

func (s *S3) nextOfRegion(e *awsError) string {
	if e.region == "" || e.region == s.region {
		return "bucket " + s.options.Bucket + " is not in " + s.region + ": set the region that it is in"
	}
	return "bucket " + s.options.Bucket + " is in " + e.region + " and was looked for in " + s.region + ": set the region to " + e.region
}
