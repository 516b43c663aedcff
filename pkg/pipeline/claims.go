package pipeline

import "time"

// Claims is what a verified ID token of a workflow run says about its run. Its
// signature, issuer, audience and times have been checked; what the facts mean
// for a request has not. Subject is for display only: its shape can be chosen
// by the repository.
type Claims struct {
	Issuer       string
	Subject      string
	Audience     string
	RepositoryID int64
	Repository   string // owner/name at the time of the run
	RunID        int64
	RunAttempt   int
	EventName    string
	Ref          string // full ref; refs/pull/N/merge on pull requests
	Actor        string
	ActorID      int64 // 0 when the token does not say
	// SHA is the commit the run checked out: on pull requests the merge commit.
	SHA SHA
	// WorkflowRef and JobWorkflowRef name workflow files as
	// owner/name/path@ref; they differ in a reusable workflow.
	WorkflowRef    string
	JobWorkflowRef string
	JTI            string // unique id of the token
	// Properties are the custom properties that the organization includes in its tokens.
	Properties Properties
	IssuedAt   time.Time
	ExpiresAt  time.Time
}
