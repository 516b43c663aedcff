package cli

import (
	"context"
	"errors"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// The exit codes of every command.
const (
	ExitDone      = 0   // done: applied, planned, no changes, nothing to do
	ExitFailed    = 1   // the tool, GitHub or the store failed
	ExitUsage     = 2   // a mistake in flags, environment or configuration
	ExitRejected  = 3   // the request, or its variables.yml, is not accepted
	ExitRefused   = 4   // the plan may not be applied; the reason is an output
	ExitWaiting   = 5   // still waiting: a deadline passed, or a person has to approve
	ExitFindings  = 6   // validate, doctor, sweep, state reindex, the audit of a ledger, compliance, or drift found what it should fail on
	ExitCancelled = 130 // interrupted, or without a reader
)

// ExitCodes describes the codes in the order of their numbers, for the help
// and the reference.
var ExitCodes = []struct {
	Code    int
	Meaning string
}{
	{ExitDone, "done: applied, planned, no changes, or nothing to do"},
	{ExitFailed, "failed: the tool, GitHub or the store"},
	{ExitUsage, "usage: flags, environment or configuration are wrong"},
	{ExitRejected, "rejected: the request or its variables.yml is not accepted"},
	{ExitRefused, "refused: the plan may not be applied; the output `reason` says why"},
	{ExitWaiting, "still waiting: a deadline passed, or a person has to approve"},
	{ExitFindings, "findings: `validate`, `doctor`, `ledger`, `compliance` or `drift` found problems, `sweep` without --fix requests that hang, `state reindex` without --fix missing entries, or `rekey` records that need an older key"},
	{ExitCancelled, "cancelled: interrupted by a signal, or the output has lost its reader"},
}

// findingsError ends validate: the problems are printed already.
type findingsError struct{ count int }

func (findingsError) Error() string { return "problems were found" }

// exitCode maps an error to its code. The order matters: a command that was
// interrupted often fails for a second reason.
func exitCode(ctx context.Context, err error) int {
	var (
		usage    *pipeline.UsageError
		rejected *pipeline.RejectedError
		refused  *pipeline.RefusedError
		waiting  *pipeline.WaitingError
		findings findingsError
	)
	switch {
	case err == nil:
		return ExitDone
	case errors.Is(ctx.Err(), context.Canceled):
		return ExitCancelled
	case errors.As(err, &findings):
		return ExitFindings
	case errors.As(err, &usage):
		return ExitUsage
	case errors.As(err, &rejected):
		return ExitRejected
	case errors.As(err, &refused):
		return ExitRefused
	case errors.As(err, &waiting):
		return ExitWaiting
	}
	return ExitFailed
}
