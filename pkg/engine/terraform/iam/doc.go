// Package iam writes the roles that GitHub Actions takes on AWS as Terraform code.
package iam
