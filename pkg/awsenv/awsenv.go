// Package awsenv is how metapipe finds the region, the credentials and the endpoints of AWS in the
// variables of an environment, and how often it asks AWS again.
package awsenv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// answerTimeout is how long a server may be silent before it answers.
const answerTimeout = time.Minute

// Environ reads variables; without a Lookup all of them are unset.
type Environ struct {
	Lookup func(string) (string, bool)
	// NoMetadata leaves out the credentials of the machine, which EC2 gives to whatever runs on it.
	NoMetadata bool
}

func (e Environ) get(name string) string {
	if e.Lookup == nil {
		return ""
	}
	value, _ := e.Lookup(name)
	return value
}

// First is the value of the first variable that is set.
func (e Environ) First(names ...string) string {
	for _, name := range names {
		if value := e.get(name); value != "" {
			return value
		}
	}
	return ""
}

// Config is what each client of AWS begins with; its region may be empty.
func (e Environ) Config(ctx context.Context, region string) (aws.Config, error) {
	settings, err := e.Settings(region)
	if err != nil {
		return aws.Config{}, err
	}
	c, err := config.LoadDefaultConfig(ctx, settings...)
	if err != nil {
		return aws.Config{}, err
	}
	if provider := e.webIdentity(c); provider != nil {
		c.Credentials = aws.NewCredentialsCache(provider)
	}
	c.Credentials = namedCredentials{c.Credentials}
	return c, nil
}

// Settings are the variables in the words of the SDK.
func (e Environ) Settings(region string) ([]func(*config.LoadOptions) error, error) {
	client := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) { t.ResponseHeaderTimeout = answerTimeout })
	settings := []func(*config.LoadOptions) error{config.WithHTTPClient(client), config.WithRetryer(func() aws.Retryer { return RetryAt("") })}
	add := func(value string, set func(string) config.LoadOptionsFunc) {
		if value != "" {
			settings = append(settings, set(value))
		}
	}
	if region == "" {
		region = e.First("AWS_REGION", "AWS_DEFAULT_REGION")
	}
	add(region, config.WithRegion)
	add(e.get("AWS_CONFIG_FILE"), func(v string) config.LoadOptionsFunc { return config.WithSharedConfigFiles([]string{v}) })
	add(e.get("AWS_SHARED_CREDENTIALS_FILE"), func(v string) config.LoadOptionsFunc { return config.WithSharedCredentialsFiles([]string{v}) })
	if e.NoMetadata || strings.EqualFold(e.get("AWS_EC2_METADATA_DISABLED"), "true") {
		settings = append(settings, config.WithEC2IMDSClientEnableState(imds.ClientDisabled))
	}
	if file := e.get("AWS_CA_BUNDLE"); file != "" {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read AWS_CA_BUNDLE: %w", err)
		}
		settings = append(settings, config.WithCustomCABundle(bytes.NewReader(pem)))
	}
	id, secret := e.get("AWS_ACCESS_KEY_ID"), e.get("AWS_SECRET_ACCESS_KEY")
	switch {
	case (id == "") != (secret == ""):
		return nil, errors.New("one of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY is set without the other")
	case id != "":
		settings = append(settings, config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(id, secret, e.get("AWS_SESSION_TOKEN"))))
	case e.get("AWS_WEB_IDENTITY_TOKEN_FILE") == "":
		add(e.First("AWS_PROFILE", "AWS_DEFAULT_PROFILE"), func(v string) config.LoadOptionsFunc { return config.WithSharedConfigProfile(v) })
	}
	return settings, nil
}

// webIdentity takes a role with the token in a file, as it is on runners and
// clusters that trust each other by OpenID Connect; nil when there is none.
func (e Environ) webIdentity(c aws.Config) aws.CredentialsProvider {
	file, role := e.get("AWS_WEB_IDENTITY_TOKEN_FILE"), e.get("AWS_ROLE_ARN")
	if file == "" || role == "" || e.get("AWS_ACCESS_KEY_ID") != "" {
		return nil
	}
	client := sts.NewFromConfig(c, func(so *sts.Options) {
		if endpoint := e.First("AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"); endpoint != "" {
			so.BaseEndpoint = &endpoint
		}
		so.Retryer = RetryAt(aws.ToString(so.BaseEndpoint))
	})
	return stscreds.NewWebIdentityRoleProvider(client, role, stscreds.IdentityTokenFile(file), func(wo *stscreds.WebIdentityRoleOptions) {
		wo.RoleSessionName = e.get("AWS_ROLE_SESSION_NAME")
	})
}

// namedCredentials marks errors that came before a service was asked at all.
type namedCredentials struct{ aws.CredentialsProvider }

func (n namedCredentials) Retrieve(ctx context.Context) (aws.Credentials, error) {
	if n.CredentialsProvider == nil {
		return aws.Credentials{}, &CredentialsError{errors.New("there are none")}
	}
	c, err := n.CredentialsProvider.Retrieve(ctx)
	if err != nil {
		return c, &CredentialsError{err}
	}
	return c, nil
}

// CredentialsError says that no request could be sent, for want of credentials.
type CredentialsError struct{ Err error }

func (e *CredentialsError) Error() string { return "find AWS credentials: " + e.Err.Error() }

func (e *CredentialsError) Unwrap() error { return e.Err }
