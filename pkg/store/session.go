package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/metapipe/metapipe/pkg/awsenv"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// SessionAudience is the audience that AWS expects in the ID token of a run.
// Source: https://docs.github.com/actions/how-tos/secure-your-work/security-harden-deployments/oidc-in-aws
const SessionAudience = "sts.amazonaws.com"

// minSession is the shortest time that AWS gives.
const minSession = 15 * time.Minute

// SessionOptions ask for the credentials of one target.
type SessionOptions struct {
	Role  string // ARN
	Token string // the run's ID token for SessionAudience
	// Target names the session in the logs of AWS.
	Target   pipeline.Target
	Policy   string        // of Scope.SessionPolicy; empty cuts nothing
	Duration time.Duration // the session outlasts it
	Region   string        // empty: that of AWS_REGION
	// Lookup reads a variable of the environment.
	Lookup func(string) (string, bool)
}

// Session is a pair of keys that ends by itself.
type Session struct {
	AccessKeyID, SecretAccessKey, Token string

	region string
}

// Format hides the secrets from every verb of fmt.
func (s Session) Format(f fmt.State, _ rune) { hide(f, "(session "+s.AccessKeyID+")") }

// OpenSession takes a role with the ID token of the run. What is wrong with the
// role or the configuration is a *pipeline.UsageError.
func OpenSession(ctx context.Context, o SessionOptions) (Session, error) {
	env := awsenv.Environ{Lookup: o.Lookup}
	if o.Region == "" {
		o.Region = env.First("AWS_REGION", "AWS_DEFAULT_REGION")
	}
	if o.Region == "" {
		return Session{}, pipeline.Usagef("take the role of %s: the region is not set", o.Target).
			Nextf("name it with state.region in metapipe.yml, or set AWS_REGION")
	}
	client, err := o.client(ctx, env)
	if err != nil {
		return Session{}, err
	}
	seconds := int32(max(o.Duration, minSession) / time.Second) // a limit of the configuration keeps it below a day
	input := &sts.AssumeRoleWithWebIdentityInput{RoleArn: &o.Role, RoleSessionName: aws.String(o.sessionName()), WebIdentityToken: &o.Token, DurationSeconds: &seconds}
	if o.Policy != "" {
		input.Policy = &o.Policy
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	out, err := client.AssumeRoleWithWebIdentity(ctx, input)
	if err != nil {
		return Session{}, o.refused(err)
	}
	if out.Credentials == nil {
		return Session{}, fmt.Errorf("take role %s for %s: STS gave no credentials", o.Role, o.Target)
	}
	c := out.Credentials
	s := Session{AccessKeyID: aws.ToString(c.AccessKeyId), SecretAccessKey: aws.ToString(c.SecretAccessKey), Token: aws.ToString(c.SessionToken), region: o.Region}
	if s.AccessKeyID == "" || s.SecretAccessKey == "" || s.Token == "" {
		return Session{}, fmt.Errorf("take role %s for %s: STS gave half of the credentials", o.Role, o.Target)
	}
	return s, nil
}

// client asks STS without any credentials: the token is the proof.
func (o SessionOptions) client(ctx context.Context, env awsenv.Environ) (*sts.Client, error) {
	settings, err := env.Settings(o.Region)
	if err == nil {
		var c aws.Config
		if c, err = config.LoadDefaultConfig(ctx, append(settings, config.WithCredentialsProvider(aws.AnonymousCredentials{}))...); err == nil {
			return sts.NewFromConfig(c, func(so *sts.Options) {
				if endpoint := env.First("AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"); endpoint != "" {
					so.BaseEndpoint = &endpoint
				}
				so.Retryer = awsenv.RetryAt(aws.ToString(so.BaseEndpoint))
			}), nil
		}
	}
	return nil, pipeline.Usagef("read the AWS settings for %s", o.Target).Because(err).Nextf("fix the AWS_… variables of this step")
}

// sessionName has 64 characters at most. A name that is cut ends in a
// character that it cannot hold, and a hash: the logs of AWS never show one target as another.
func (o SessionOptions) sessionName() string {
	part := "@" + cut(o.Target.Part(), 40, "=")
	return cut(string(o.Target.Customer), 64-len(part), ".") + part
}

// cut shortens a text to a number of bytes, with a mark and a hash of the whole at its end.
func cut(s string, most int, mark string) string {
	if len(s) <= most {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	hash := mark + hex.EncodeToString(sum[:])[:8]
	return s[:most-len(hash)] + hash
}

// refused says what to do about the errors that STS names.
// Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html#API_AssumeRoleWithWebIdentity_Errors
func (o SessionOptions) refused(err error) error {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return fmt.Errorf("take role %s for %s: %w", o.Role, o.Target, err)
	}
	e := pipeline.Usagef("take role %s for %s", o.Role, o.Target).Because(fmt.Errorf("STS answered %s: %s", api.ErrorCode(), api.ErrorMessage()))
	switch code := api.ErrorCode(); {
	case code == "ValidationError" && strings.Contains(api.ErrorMessage(), "DurationSeconds"), code == "InvalidParameterValue" && strings.Contains(api.ErrorMessage(), "Duration"):
		e.Next = fmt.Sprintf("let the role last as long as the work: aws iam update-role --role-name %s --max-session-duration %d; or lower limits.plan_timeout and limits.apply_timeout",
			o.Role[strings.LastIndex(o.Role, "/")+1:], int(max(o.Duration, time.Hour)/time.Second))
	case code == "AccessDenied", code == "InvalidIdentityToken", code == "IDPRejectedClaim":
		e.Next = "let the trust policy of the role accept the ID tokens of this repository and of this environment, with the audience " + SessionAudience
	case code == "PackedPolicyTooLarge", code == "MalformedPolicyDocument":
		e.Next = "shorten state.prefix or the name of the bucket: both stand in the policy that cuts the role to its target"
	case code == "RegionDisabledException":
		e.Next = "activate STS in " + o.Region + ", or name another region with state.region"
	default:
		return fmt.Errorf("take role %s for %s: STS answered %s: %w", o.Role, o.Target, api.ErrorCode(), err)
	}
	return e
}

// kept are the variables of AWS that say how it is reached. All others could
// lead to other credentials than those of the session.
var kept = [...]string{
	"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_CA_BUNDLE", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_USE_FIPS_ENDPOINT",
	"AWS_USE_DUALSTACK_ENDPOINT", "AWS_MAX_ATTEMPTS", "AWS_RETRY_MODE", "AWS_STS_REGIONAL_ENDPOINTS", "AWS_SDK_UA_APP_ID",
}

// Keys are the credentials as variables of the environment, "NAME=value".
func (s Session) Keys() []string {
	return []string{"AWS_ACCESS_KEY_ID=" + s.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + s.SecretAccessKey, "AWS_SESSION_TOKEN=" + s.Token}
}

// Confine returns the environment, as "NAME=value", with the session as the only
// credentials of AWS in it: no keys, profile, file, token or instance leads to
// others.
func (s Session) Confine(environ []string) []string {
	var confined []string
	region := false
	for _, pair := range environ {
		name, _, _ := strings.Cut(pair, "=")
		upper := strings.ToUpper(name) // as Windows compares
		if strings.HasPrefix(upper, "AWS_") && !keeps(upper) {
			continue
		}
		region = region || upper == "AWS_REGION"
		confined = append(confined, pair)
	}
	if !region {
		confined = append(confined, "AWS_REGION="+s.region)
	}
	return append(append(confined, s.Keys()...),
		"AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull)
}

func keeps(name string) bool {
	if strings.HasPrefix(name, "AWS_ENDPOINT_URL") {
		return true
	}
	for _, k := range kept {
		if name == k {
			return true
		}
	}
	return false
}
