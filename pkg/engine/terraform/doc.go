// Package terraform plans and applies one target with Terraform or OpenTofu: it
// finds or installs the tool, copies the manager tree into a workspace, runs
// init, plan, show and apply as processes of their own, and reads the plan JSON
// into a pipeline.Plan that is safe to show.
package terraform
