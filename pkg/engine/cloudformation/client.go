package cloudformation

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cfn "github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/smithy-go"

	"github.com/metapipe/metapipe/pkg/awsenv"
	"github.com/metapipe/metapipe/pkg/engine/process"
	"github.com/metapipe/metapipe/pkg/engine/redact"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// client is the API with the credentials of one target.
type client struct {
	*cfn.Client
	region string
	near   bool // the server is on this machine
}

// connect makes the client of a job. Credentials come from the variables of the environment, and never
// from the machine: on a runner on EC2 those would be of another role than the job's.
func (e *Engine) connect(ctx context.Context, job pipeline.Job) (client, error) {
	allowed, err := e.options.Environ.Allowed(job.Tool())
	if err != nil {
		return client{}, err
	}
	env := awsenv.Environ{NoMetadata: true, Lookup: func(name string) (string, bool) {
		value := process.Environ(allowed).Get(name)
		return value, value != ""
	}}
	region := job.Tool().CloudFormation.Region
	if region == "" {
		region = env.First("AWS_REGION", "AWS_DEFAULT_REGION")
	}
	if region == "" {
		return client{}, pipeline.Usagef("the region of the stack of %s is not set", job.Target()).
			Nextf("name it with cloudformation.region of the stack in metapipe.yml, or set AWS_REGION")
	}
	config, err := env.Config(ctx, region)
	if err != nil {
		return client{}, pipeline.Usagef("read the AWS settings for %s", job.Target()).Because(err).Nextf("fix the AWS_… variables of this step")
	}
	endpoint := env.First("AWS_ENDPOINT_URL_CLOUDFORMATION", "AWS_ENDPOINT_URL")
	c := client{region: region, near: near(endpoint)}
	c.Client = cfn.NewFromConfig(config, func(o *cfn.Options) {
		if endpoint != "" {
			o.BaseEndpoint = &endpoint
		}
		o.Retryer = awsenv.RetryAt(endpoint)
	})
	return c, nil
}

func near(endpoint string) bool {
	u, err := url.Parse(endpoint)
	return err == nil && endpoint != "" && awsenv.Near(u.Hostname())
}

// pause is the time between two looks at something that AWS works on, the first of which is 0.
func (c client) pause(look int) time.Duration {
	least, most := time.Second, 5*time.Second
	if c.near {
		least, most = 10*time.Millisecond, 100*time.Millisecond
	}
	return min(least<<min(look/3, 10), most)
}

// wait pauses; its error is that of ctx.
func (c client) wait(ctx context.Context, look int) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(c.pause(look)):
		return nil
	}
}

// code is that of an answer of AWS; empty where err is none.
func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// said is what AWS says of a request that it refuses, in one harmless text.
func said(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return redact.Clean(api.ErrorMessage())
	}
	return redact.Clean(err.Error())
}

const codeValidation = "ValidationError" // also of what is not there

// isMissing reports whether AWS says that there is no such stack or change set.
func isMissing(err error) bool {
	switch code(err) {
	case codeValidation:
		return strings.Contains(said(err), "does not exist")
	case "ChangeSetNotFound":
		return true
	}
	return false
}

// refused is the error of a call of the API.
func (w *workspace) refused(what string, err error) error {
	if err == nil {
		return nil
	}
	if ctxErr := errors.Join(err); errors.Is(ctxErr, context.Canceled) || errors.Is(ctxErr, context.DeadlineExceeded) {
		return fmt.Errorf("%s for %s: %w", what, w.job.Target(), err)
	}
	var none *awsenv.CredentialsError
	if errors.As(err, &none) {
		return pipeline.Usagef("%s for %s: there are no AWS credentials", what, w.job.Target()).Because(err).
			Nextf("give the job a role: `role` in metapipe.yml, or AWS_… variables of this step; credentials of the machine are not used")
	}
	message := w.filter.Text(said(err))
	failed := &pipeline.FailedError{Message: fmt.Sprintf("%s for %s failed: %s", what, w.job.Target(), message), Next: pipeline.ProviderNext, Err: plainError(err)}
	switch code(err) {
	case "":
		failed.Message = fmt.Sprintf("%s for %s failed: CloudFormation in %s does not answer", what, w.job.Target(), w.api.region)
		failed.Operator = "check the network of the job, and whether the region exists: cloudformation.region of the stack in metapipe.yml, or AWS_REGION"
	case "AccessDenied", "AccessDeniedException", "UnauthorizedOperation":
		failed.Operator = "allow this to the role of the job: docs/CLOUDFORMATION.md lists the permissions of each command"
	case "ExpiredToken", "ExpiredTokenException", "RequestExpired":
		failed.Operator = "the credentials of the job have expired: give the role longer sessions, or run the job again"
	case "InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch", "InvalidSignatureException", "IncompleteSignature", "MissingAuthenticationToken", "OptInRequired":
		failed.Operator = fmt.Sprintf("AWS does not accept the credentials of the job in %s: check the AWS_… variables, and that the region is enabled for the account", w.api.region)
	case "Throttling", "ThrottlingException", "RequestLimitExceeded":
		failed.Operator = "AWS limits the requests of the account: run the job again, or fewer jobs at once"
	case "InsufficientCapabilitiesException", "InsufficientCapabilities":
		failed.Operator = "list what the template needs in cloudformation.capabilities of the stack in metapipe.yml"
	case "LimitExceededException", "LimitExceeded":
		failed.Operator = "delete what is not needed, or ask AWS to raise the limit"
	case codeValidation:
		failed.Operator = "correct what CloudFormation says"
		if strings.Contains(message, "_IN_PROGRESS") {
			failed.Operator = "another operation works on the stack: wait until it has ended, and run this again"
		}
	}
	if d, found := w.ofParameter(message); found {
		failed.Diagnostics = append(failed.Diagnostics, d)
		if d.Source.File != "" {
			failed.Next, failed.Operator = d.Remedy, ""
		}
	}
	return failed
}

// plainError keeps a connection error, whose words hold no answer of AWS; answers are in the message.
func plainError(err error) error {
	if code(err) != "" {
		return nil
	}
	return err
}

func str(s *string) string { return aws.ToString(s) }
