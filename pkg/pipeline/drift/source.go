package drift

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"sync"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// desiredGitHub reads what customers want now.
type desiredGitHub interface {
	pipeline.DeployedGitHub
	Repository(ctx context.Context, repo pipeline.Slug) (pipeline.Repository, error)
	// BranchFile reads a file at a branch, empty for the default one, in one call.
	BranchFile(ctx context.Context, repo pipeline.Slug, branch, path string) (pipeline.File, error)
}

// desired is the configuration of one target and where it stands.
type desired struct {
	branch   string // empty: the default branch
	file     pipeline.File
	document pipeline.Document
}

// desiredFiles reads each file once per scan: one call to GitHub for each
// customer and branch, and one more where the content is not what was applied
// last, to make sure whose repository it is.
type desiredFiles struct {
	github desiredGitHub
	parse  func(c pipeline.Customer, file string, raw []byte) (pipeline.Document, pipeline.Problems)

	parsing sync.Mutex // compiles schemas as they come
	mu      sync.Mutex
	reads   map[string]*desiredRead
}

type desiredRead struct {
	once     sync.Once
	file     pipeline.File
	err      error
	verified sync.Once
	owner    error
}

// applyBranch is the branch that an environment is applied from: the first plain
// name of its rule. Empty means the default branch.
func applyBranch(rule pipeline.EnvironmentRule) string {
	for _, name := range rule.Branches {
		if !strings.ContainsAny(name, `*?[\`) {
			return name
		}
	}
	return ""
}

// of reads the configuration of a target. last may be nil.
func (d *desiredFiles) of(ctx context.Context, c pipeline.Customer, t pipeline.Target, last *record.LastApply) (desired, error) {
	rule, _ := c.Manager.Rule(t.Environment)
	want := desired{branch: applyBranch(rule)}
	name := path.Join(c.Path, pipeline.VariablesFile)
	d.mu.Lock()
	key := string(c.Name) + "\x00" + want.branch
	read := d.reads[key]
	if read == nil {
		read = &desiredRead{}
		d.reads[key] = read
	}
	d.mu.Unlock()
	read.once.Do(func() { read.file, read.err = d.github.BranchFile(ctx, c.Repository, want.branch, name) })
	if read.err != nil {
		return want, read.err // it names the file and the repository, and what to do
	}
	want.file = read.file
	if last == nil || last.Receipt.Blob != want.file.Blob || want.file.Moved {
		// Content that this customer had applied may come from an account that has the
		// name now. A repository that has moved may have been given away.
		read.verified.Do(func() { read.owner = d.prove(ctx, c) })
		if read.owner != nil {
			return want, read.owner
		}
	}
	var err error
	want.document, err = d.document(c, name, want.file.Content)
	return want, err
}

func (d *desiredFiles) prove(ctx context.Context, c pipeline.Customer) error {
	repo, err := d.github.Repository(ctx, c.Repository)
	if err != nil {
		return fmt.Errorf("look up repository %s of customer %s: %w", c.Repository, c.Name, err)
	}
	return c.CheckRepository(repo)
}

func (d *desiredFiles) document(c pipeline.Customer, name string, raw []byte) (pipeline.Document, error) {
	d.parsing.Lock()
	defer d.parsing.Unlock()
	document, problems := d.parse(c, name, raw)
	if problems.Err() != nil {
		return nil, &pipeline.RejectedError{Reason: pipeline.ReasonInvalidVariables, Message: "the configuration of " + string(c.Name) + " has problems", Problems: problems}
	}
	return document, nil
}

// causeError is an error with the word that Failure.Cause has for it.
type causeError struct {
	cause string
	err   error
}

func (e *causeError) Error() string { return e.err.Error() }

func (e *causeError) Unwrap() error { return e.err }

// failureOf puts an error into the words of the report. GitHub's errors say the
// cause themselves.
func failureOf(err error) *Failure {
	f := &Failure{Cause: "internal", Message: err.Error()}
	var (
		known    *causeError
		failed   *pipeline.FailedError
		rejected *pipeline.RejectedError
		usage    *pipeline.UsageError
		problems pipeline.Problems
		github   interface{ Cause() string }
	)
	var renamed *pipeline.RenamedError
	var owner *pipeline.OwnerError
	var other *pipeline.OtherRepositoryError
	switch {
	case errors.As(err, &other):
		f.Cause, f.Message, f.Next = "repository", other.Error(), other.Next()
	case errors.As(err, &owner):
		f.Cause, f.Message, f.Next = string(pipeline.ReasonOtherRepository), owner.What(), owner.Operator()
	case errors.As(err, &renamed):
		f.Cause, f.Message, f.Next = string(pipeline.ReasonRenamed), renamed.What(), renamed.Operator()
	case errors.As(err, &known):
		f.Cause = known.cause
	case errors.Is(err, context.DeadlineExceeded):
		f.Cause = "timeout"
	case errors.As(err, &github) && github.Cause() != "":
		f.Cause = github.Cause()
	case errors.Is(err, pipeline.ErrTampered) || errors.Is(err, pipeline.ErrUnknownKey):
		f.Cause = "state"
	case errors.As(err, &rejected) || errors.As(err, &problems):
		f.Cause = "variables"
	case errors.As(err, &failed) || errors.As(err, &usage):
		f.Cause = "tool"
	}
	if errors.As(err, &failed) {
		f.Diagnostics, f.Next = failed.Diagnostics, cmp.Or(failed.Operator, failed.Next)
	}
	message, next, found := strings.Cut(f.Message, "\n→ ")
	if found {
		f.Message = message
		if f.Next == "" {
			f.Next, _, _ = strings.Cut(next, "\n")
		}
	}
	return f
}
