package record

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Announcement says that a report of a run has looked at a plan right before its apply: the
// customer knows of the apply, and the custom properties still allow it.
type Announcement struct {
	Run pipeline.Run `json:"run"`
	At  time.Time    `json:"at"`
}

// Announced is the apply of a plan of a request by a run. The attempts of the run share the
// announcement: an apply that is run again by itself has no report before it.
type Announced struct {
	pipeline.Target
	Request pipeline.RequestID
	Receipt string // the digest of that of the plan
	Run     pipeline.Run
}

// Key is the key of the announcement.
func (a Announced) Key() string {
	return fmt.Sprintf("%sannounced-%s-%d.json", PlansPrefix(a.Target, a.Request), a.Receipt, a.Run.ID)
}

// Write writes the announcement. One that is there stays.
func (a Announced) Write(ctx context.Context, s Records, at time.Time) error {
	err := s.CreateRecord(ctx, PlanAttempt{Target: a.Target}, a.Key(), Announcement{Run: a.Run, At: at.UTC()})
	if err != nil && !errors.Is(err, pipeline.ErrExists) {
		return fmt.Errorf("record that the apply of %s is announced: %w", a.Target, err)
	}
	return nil
}

// Read reports whether the announcement is there. One that does not verify is ErrTampered.
func (a Announced) Read(ctx context.Context, s Reader) (bool, error) {
	var read Announcement
	err := s.ReadRecord(ctx, PlanAttempt{Target: a.Target}, a.Key(), &read)
	switch {
	case errors.Is(err, pipeline.ErrNotFound):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("the announcement of the apply of %s: %w", a.Target, err)
	}
	return true, nil
}
