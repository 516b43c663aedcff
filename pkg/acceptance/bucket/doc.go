// Package bucket tests a bucket as the store: its policies, locks, keys and failures.
package bucket
