package awsenv

import (
	"errors"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsretry "github.com/aws/aws-sdk-go-v2/aws/retry"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/metapipe/metapipe/pkg/retry"
)

// retryer is how the SDK sends requests to AWS again: as often and with
// such pauses as package retry says. Which errors pass is known to the SDK by their
// codes; those that a proxy or another server answers are known by their status.
type retryer struct {
	*awsretry.Standard
	near bool
}

// RetryAt makes the retryer for an endpoint; empty for AWS itself.
func RetryAt(endpoint string) aws.Retryer {
	r := &retryer{Standard: awsretry.NewStandard(func(o *awsretry.StandardOptions) { o.MaxAttempts = retry.Attempts })}
	if u, err := url.Parse(endpoint); err == nil {
		r.near = retry.Near(u.Hostname())
	}
	return r
}

// IsErrorRetryable implements aws.Retryer. A pause that is asked for and too long for
// one request ends it at once.
func (r *retryer) IsErrorRetryable(err error) bool {
	if asked, has := r.asked(err); has && asked > retry.MaxWait {
		return false
	}
	if r.Standard.IsErrorRetryable(err) {
		return true
	}
	var answer *smithyhttp.ResponseError
	if !errors.As(err, &answer) || answer.Response == nil || answer.Response.Response == nil {
		return false
	}
	status := answer.HTTPStatusCode()
	return retry.Limited(status, answer.Response.Header) || retry.Passing(status)
}

// RetryDelay implements aws.Retryer.
func (r *retryer) RetryDelay(attempt int, err error) (time.Duration, error) {
	if asked, has := r.asked(err); has {
		return asked, nil
	}
	return retry.Pause(attempt, r.near), nil
}

func (r *retryer) asked(err error) (time.Duration, bool) {
	var answer *smithyhttp.ResponseError
	if !errors.As(err, &answer) || answer.Response == nil || answer.Response.Response == nil {
		return 0, false
	}
	return retry.After(answer.Response.Header, time.Now())
}

// Near reports whether a host is this machine.
func Near(host string) bool { return retry.Near(host) }
