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

// AnnouncedObject is the name of the announcement of a run beside its plan. The attempts of the
// run share it: an apply that is run again by itself has no report before it.
func AnnouncedObject(run pipeline.Run) string { return fmt.Sprintf("announced-%d.json", run.ID) }

// Announce writes the announcement of a run. One that is there stays.
func Announce(ctx context.Context, s Records, folder PlanAttempt, run pipeline.Run, at time.Time) error {
	err := s.CreateRecord(ctx, folder, AnnouncedObject(run), Announcement{Run: run, At: at.UTC()})
	if err != nil && !errors.Is(err, pipeline.ErrExists) {
		return fmt.Errorf("record that the apply of %s is announced: %w", folder.Target, err)
	}
	return nil
}

// Announced reports whether a run has announced the apply of a plan. An announcement that does
// not verify is ErrTampered.
func Announced(ctx context.Context, s Reader, folder PlanAttempt, run pipeline.Run) (bool, error) {
	var a Announcement
	err := s.ReadRecord(ctx, folder, AnnouncedObject(run), &a)
	switch {
	case errors.Is(err, pipeline.ErrNotFound):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("the announcement of the apply of %s: %w", folder.Target, err)
	}
	return true, nil
}
