package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/metapipe/metapipe/pkg/awsenv"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// kmsError is a call to KMS that failed.
type kmsError struct {
	op, key, target, next string
	err                   error
}

func (e *kmsError) Error() string {
	s := fmt.Sprintf("%s what belongs to %s with the KMS key %s: %v", e.op, e.target, e.key, e.err)
	if e.next != "" {
		s += "\n→ " + e.next
	}
	return s
}

func (e *kmsError) Unwrap() error { return e.err }

func (k *kmsKeys) fail(op, action, key string, to pipeline.Binding, err error) error {
	target := string(to.Customer)
	if to.Environment != "" {
		target = to.Target.String()
	}
	e := &kmsError{op: op, key: key, target: target, err: err}
	if a := answer(err); a != nil {
		e.err, e.next = a, nextOfKMS(a, action, key, target)
		return e
	}
	var noCredentials *awsenv.CredentialsError
	switch {
	case errors.Is(err, context.Canceled):
	case errors.As(err, &noCredentials):
		e.next = "give this step AWS credentials: in Actions, `permissions: id-token: write` and a role by aws-actions/configure-aws-credentials; elsewhere AWS_PROFILE " +
			"or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
	case unreachable(err):
		e.next = "no answer from KMS: look whether it is reachable from here, and whether region and AWS_ENDPOINT_URL_KMS are right; then run again"
	}
	return e
}

// nextOfKMS says what to do about an answer.
// Source: https://docs.aws.amazon.com/kms/latest/APIReference/API_Decrypt.html#API_Decrypt_Errors
func nextOfKMS(a *awsError, action, key, target string) string {
	if a.service == "STS" {
		return nextOfRole(a)
	}
	switch a.code {
	case "AccessDeniedException", "AccessDenied":
		return "allow " + action + " on " + key + " in the policy of this role and in that of the key; where their condition names an encryption context, it must be that of " + target
	case "NotFoundException":
		return "there is no such key in that region: fix `sealing_keys` in metapipe.yml, or name the key by its ARN"
	case "DisabledException":
		return "enable the key " + key + ", and run again"
	case "KMSInvalidStateException":
		return "the key is waiting for its deletion or its material: cancel the deletion of " + key + ", and run again; without it what it has sealed is lost"
	case "InvalidKeyUsageException", "UnsupportedOperationException":
		return "name a symmetric key for encryption and decryption in `sealing_keys`"
	case "InvalidArnException", "ValidationException":
		return "fix the name of the key in `sealing_keys` of metapipe.yml"
	case "ExpiredTokenException", "UnrecognizedClientException", "InvalidSignatureException", "IncompleteSignature", "MissingAuthenticationTokenException":
		return "KMS does not accept the credentials of this step: take the role again and run again"
	case "ThrottlingException", "LimitExceededException", "DependencyTimeoutException", "KMSInternalException", "KeyUnavailableException":
		return "KMS is overloaded or failing: run again in a few minutes"
	}
	if a.status >= 500 {
		return "KMS is overloaded or failing: run again in a few minutes"
	}
	return ""
}
