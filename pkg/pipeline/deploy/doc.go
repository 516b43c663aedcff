// Package deploy plans a target, checks the gate and applies the plan.
package deploy
