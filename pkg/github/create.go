package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/metapipe/metapipe/pkg/retry"
)

// create sends a write that would make a second thing when it were done twice.
//
// When its fate is unknown (no answer, half of one, a 5xx) it waits a moment,
// looks whether GitHub has carried it out, and sends it again only if not. find
// reports that, and takes over what the lost answer would have held.
func (c *Client) create(ctx context.Context, k call, in, out any, find func(context.Context) (bool, error)) error {
	for attempt := 1; ; attempt++ {
		k.again = attempt > 1
		_, err := c.send(ctx, k, in, out)
		if err == nil || !outcomeUnknown(err) || ctx.Err() != nil {
			return err
		}
		if pauseErr := c.transport.pause(ctx, c.transport.backoff(attempt)); pauseErr != nil {
			return err
		}
		found, findErr := find(ctx)
		switch {
		case findErr != nil:
			return errors.Join(err, fmt.Errorf("look whether it was done all the same: %w", findErr))
		case found:
			return nil
		case attempt == retry.Attempts:
			return err
		}
	}
}

// outcomeUnknown reports whether GitHub may have done what it was asked, although
// that failed here. A 2xx that cannot be read is such a case too.
func outcomeUnknown(err error) bool {
	var lost *noResponseError
	var output *Error
	if errors.As(err, &lost) {
		return true
	}
	return errors.As(err, &output) && (output.Status >= http.StatusInternalServerError || output.Status/100 == 2)
}
