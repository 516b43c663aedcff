// Package module reads what must be known of a root module before the tool runs.
package module
