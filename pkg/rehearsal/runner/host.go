package runner

import (
	"context"
	"io/fs"
)

// Host is what of GitHub and of the machine a run needs. Its methods are called from several goroutines.
type Host interface {
	// Settings are the secrets and variables of the repository, or those of one of its environments alone.
	Settings(environment string) Settings
	// Admit waits until the rules of the job's environment have decided whether it may start. An error that
	// wraps context.Canceled says that the run was cancelled meanwhile.
	Admit(ctx context.Context, j *Job) (bool, error)
	// Open starts a job: from here on its token is worth something.
	Open(ctx context.Context, j *Job) (Grant, error)
	// Close ends a job that was opened, with its Result. Its token is worth nothing any more.
	Close(j *Job) error
	// Checkout puts the files of a commit, a branch or a tag of a repository (owner/name) into a directory.
	Checkout(ctx context.Context, j *Job, repository, ref, dir string) error
	// Begin and End frame a step that runs. What Begin returns takes each line of its log, from one goroutine.
	Begin(s *Step) func(Shown)
	End(s *Step)
}

// Settings are secrets and variables, by their names in upper case.
type Settings struct{ Secrets, Variables map[string]string }

// Grant is what GitHub gives to a job that starts.
type Grant struct {
	Token string // github.token, with the permissions of the job
	// IDTokenURL and IDTokenBearer are where the job asks for ID tokens; empty without `id-token: write`.
	IDTokenURL, IDTokenBearer string
}

// Results of jobs and steps, and conclusions of runs.
const (
	Success   = "success"
	Failure   = "failure"
	Cancelled = "cancelled"
	Skipped   = "skipped"
)

// Job is one job of a run, or one of a matrix.
type Job struct {
	Path        string         // the ids of the jobs that called its workflow, and its own: "target-staging/plan"
	Name        string         // as GitHub shows it: "staging / plan"
	ID          string         // its own id
	File        string         // of its workflow
	Line        int            // of its id there
	Environment string         // empty: none
	Inputs      map[string]any // of its workflow
	// Permissions of its token, by scope: read, write or none.
	Permissions map[string]string
	Dir         string // everything of the job lies below; removed by whoever made Run.Dir
	Workspace   string
	Masks       *Masks
	// Result and Outputs stand at the end of the job.
	Result  string
	Outputs map[string]string
	Summary string // of its steps, masked
	Problem string // why it failed, where no step says it
}

// Step is one step of a job.
type Step struct {
	Job    *Job
	Number int    // from 1
	ID     string // empty: none
	Name   string // `name`, or what it runs
	Uses   string // empty for a script
	Script string // empty for an action
	File   string // of the workflow, or of the action it is part of
	Line   int
	Env    map[string]string // the context env: that of workflow, job and step
	// What stands at the end of the step. Outcome is how it went, Conclusion the same with continue-on-error.
	Outcome, Conclusion string
	Exit                int // of a script
	Outputs             map[string]string
	Annotations         []Annotation
	Summary             string            // masked
	Problem             string            // why it failed, where its log does not say it
	own                 map[string]string // its own `env`
}

// Run is one run of a workflow.
type Run struct {
	Workflow   *Workflow
	Repository fs.FS // the commit of the run: its own actions
	Event      Event
	// GitHub is the context github but for what differs from job to job.
	GitHub map[string]any
	// Environ is the environment of the machine, NAME=value.
	Environ []string
	Dir     string // an empty directory for jobs
	Host    Host
	Masks   *Masks
	// Actions are stand-ins by owner/name, beside those of Known.
	Actions map[string]Action
	Groups  *Groups // shared by all runs of a repository
	// Kept are jobs that are not played, since they ended in an earlier attempt of the run, by their path; see Rerun.
	Kept map[string]Kept
	// Exec runs the process of a step; nil: Process.Run.
	Exec func(ctx context.Context, s *Step, p Process) (int, error)
}

// Kept is a job of an earlier attempt.
type Kept struct {
	Result  string
	Outputs map[string]string
}

// Result is what became of a run.
type Result struct {
	Conclusion string
	Jobs       []*Job // those that were not skipped, in the order of their ends
}
