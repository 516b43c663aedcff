// Package publish reports to the customer: statuses, the comment and deployments.
package publish
