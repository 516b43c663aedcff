// Package terraformtest makes tools, jobs and documents for tests.
package terraformtest
