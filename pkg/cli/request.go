package cli

import (
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// shortID is the number of characters of a request's id that people see.
const shortID = 8

// checkRequest checks as much of a request's id, whole or short, as needs no store.
func checkRequest(given string) error {
	if given == "" {
		return pipeline.Usagef("--request is missing").
			Nextf("pass the output `request-id` of fetch-vars, or the short id that the status of the commit shows")
	}
	_, err := pipeline.ParseRequestID(given)
	if err != nil && (len(given) < shortID || len(given) >= 36 || strings.Trim(given, "0123456789abcdef-") != "") {
		return pipeline.Usagef("--request").Because(err).Nextf("pass the whole id, or its first %d characters or more", shortID)
	}
	return nil
}
