// Package rehearsal plays the whole flow between a customer's and a manager's
// repository on one machine: the commands run as processes of the metapipe binary,
// each job in its own directory with the environment, event file and output
// files that GitHub Actions would give it, against an in-process GitHub.
//
// The story itself is written top to bottom in script.go; the workflows of both
// sides are in workflow.go; everything else is the stage.
package rehearsal
