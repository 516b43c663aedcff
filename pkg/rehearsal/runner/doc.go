// Package runner executes workflow files of GitHub Actions on one machine, without containers:
// jobs, needs, conditions, contexts, outputs, environments, concurrency groups, called workflows, matrices
// and steps. Scripts run as they are written; known actions have stand-ins (actions.go).
// What only GitHub can decide is asked of a Host.
//
// A run is read top to bottom: load.go (files), run.go (jobs of a workflow), job.go (one job),
// step.go (one step), script.go and actions.go (what a step does), expression.go (values).
//
// Source of the rules: https://docs.github.com/actions/reference/workflows-and-actions and, where that
// page is silent, the sources of the runner (https://github.com/actions/runner).
package runner
