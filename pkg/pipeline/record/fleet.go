package record

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// What the fleet remembers lies under _metapipe: scans, their history and the issues
// they wrote. Of those that grow without end the newest one counts; their names begin
// with their time.

// CreateFleet writes a record of the fleet. A taken key is ErrExists.
func CreateFleet(ctx context.Context, s Records, key string, value any) error {
	return s.CreateRecord(ctx, PlanAttempt{Target: pipeline.Target{Customer: FleetName}}, key, value)
}

// ReadFleet reads a record of the fleet. One that was changed is a *RefusedError that
// names the object.
func ReadFleet(ctx context.Context, s Records, key string, into any) error {
	err := s.ReadRecord(ctx, PlanAttempt{Target: pipeline.Target{Customer: FleetName}}, key, into)
	if errors.Is(err, pipeline.ErrTampered) {
		return &pipeline.RefusedError{Reason: pipeline.ReasonTampered, Message: fmt.Sprintf("the record %s is not what was stored: it was changed, or made without the key", key),
			Next: "find out who can write to the store; then remove that object, and the one before it counts"}
	}
	return err
}

// NewestKey is the last key under prefix that fits, "" when there is none. It looks back
// in steps, since a list cannot be read from its end.
func NewestKey(ctx context.Context, s pipeline.Store, prefix string, now time.Time, fits func(key string) bool) (string, error) {
	for _, back := range []time.Duration{24 * time.Hour, 10 * 24 * time.Hour, 0} {
		after := prefix
		if back > 0 {
			after += now.Add(-back).UTC().Format("20060102T150405")
		}
		keys, err := s.ListAfter(ctx, prefix, after)
		if err != nil {
			return "", err
		}
		for _, key := range slices.Backward(keys) {
			if fits(key) {
				return key, nil
			}
		}
	}
	return "", nil
}
