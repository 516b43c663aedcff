// Package request tests one request, from the push of a customer to the report.
package request
