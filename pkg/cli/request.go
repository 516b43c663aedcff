package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// shortID is the number of characters of a request's id that people see.
const shortID = 8

// request reads the flag that names a request of a customer: its whole id, or the
// beginning that statuses, comments and the ledger print. The store must be open.
func (m targetFlags) request(ctx context.Context, c pipeline.Customer, given string) (pipeline.RequestID, error) {
	if err := checkRequest(given); err != nil {
		return "", err
	}
	if id, err := pipeline.ParseRequestID(given); err == nil {
		return id, nil
	}
	ids, err := record.RequestsLike(ctx, m.store, c.Name, given)
	if err != nil {
		return "", err
	}
	switch len(ids) {
	case 0:
		return "", &pipeline.UsageError{Message: fmt.Sprintf("request %s of customer %s does not exist", given, c.Name), Next: "`metapipe ledger --customer " + string(c.Name) + "` lists the requests"}
	case 1:
		return ids[0], nil
	}
	return "", &pipeline.UsageError{Message: fmt.Sprintf("%d requests of customer %s begin with %s", len(ids), c.Name, given), Next: fmt.Sprintf("pass the whole id: %s, %s …", ids[0], ids[1])}
}

// checkRequest checks as much of a request's id, whole or short, as needs no store.
func checkRequest(given string) error {
	if given == "" {
		return &pipeline.UsageError{Message: "--request is missing", Next: "pass the output `request-id` of fetch-vars, or the short id that the status of the commit shows"}
	}
	_, err := pipeline.ParseRequestID(given)
	if err != nil && (len(given) < shortID || len(given) >= 36 || strings.Trim(given, "0123456789abcdef-") != "") {
		return &pipeline.UsageError{Message: "--request", Err: err, Next: fmt.Sprintf("pass the whole id, or its first %d characters or more", shortID)}
	}
	return nil
}
