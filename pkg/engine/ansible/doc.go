// Package ansible is the engine of Ansible: a plan is a run in check mode, and an apply runs
// the playbook after another check has predicted the same. Ansible keeps no state and takes no
// lock, so the engine claims neither.
package ansible
