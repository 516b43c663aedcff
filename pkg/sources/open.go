// Package sources reads sources of truth: files, HTTP services, directories of people, ServiceNow and the teams of an
// organization. A source is read as a whole, or it is an error: what was read of it until then is dropped.
package sources

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/compliance"
	"github.com/metapipe/metapipe/pkg/pipeline/sourcesync"
	"github.com/metapipe/metapipe/pkg/retry"
)

// Options are what sources are opened with.
type Options struct {
	Dir    string                      // of the manager: files lie below it
	Lookup func(string) (string, bool) // the environment, with the secrets that sync.yml names
	// Teams are those of an organization, with their permissions in its repositories.
	Teams         func(ctx context.Context, organization string) ([]compliance.Team, error)
	Organizations []string
	UserAgent     string
	// Now, Sleep and MaxWait are for requests that are sent again; zero values mean those of package retry.
	Now     func() time.Time
	Sleep   func(context.Context, time.Duration) error
	MaxWait time.Duration
}

// whole reads all records of a source, or none.
type whole func(ctx context.Context) ([]sourcesync.Record, error)

// Records implements sourcesync.Source.
func (w whole) Records(ctx context.Context) iter.Seq2[sourcesync.Record, error] {
	return func(yield func(sourcesync.Record, error) bool) {
		all, err := w(ctx)
		if err != nil {
			yield(sourcesync.Record{}, err)
			return
		}
		for _, r := range all {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// New opens a source. What it needs of the environment has to be there.
func New(c sourcesync.SourceConfig, o Options) (sourcesync.Source, error) {
	switch c.Type {
	case sourcesync.CSV:
		return whole(func(context.Context) ([]sourcesync.Record, error) { return readCSV(c, o.Dir) }), nil
	case sourcesync.JSON:
		return whole(func(context.Context) ([]sourcesync.Record, error) { return readJSON(c, o.Dir) }), nil
	case sourcesync.HTTP:
		return openHTTP(c, o)
	case sourcesync.ServiceNow:
		return openServiceNow(c, o)
	case sourcesync.LDAP:
		return openLDAP(c, o)
	case sourcesync.Teams:
		return whole(func(ctx context.Context) ([]sourcesync.Record, error) { return readTeams(ctx, o) }), nil
	}
	return nil, fmt.Errorf("there is no type %s", pipeline.Quote(string(c.Type)))
}

// secret is the value of an environment variable.
func (o Options) secret(name string) (string, error) {
	if value, _ := o.Lookup(name); value != "" {
		return value, nil
	}
	return "", fmt.Errorf("the environment variable %s is not set: pass the secret to this step", name)
}

func (o Options) rule(host string) retry.Rule {
	return retry.Rule{Now: o.Now, Sleep: o.Sleep, MaxWait: o.MaxWait, Near: retry.Near(host)}
}

var errTooMany = fmt.Errorf("it has more than %d rows", sourcesync.MaxRows)

// fieldNames are the fields that a source is asked for, each once, the key first.
func fieldNames(c sourcesync.SourceConfig) []string {
	names, seen := []string{c.KeyField}, map[string]bool{c.KeyField: true}
	for _, f := range c.Fields {
		if !seen[f.From] {
			seen[f.From] = true
			names = append(names, f.From)
		}
	}
	return names
}

var errRead = errors.New("the file cannot be read")
