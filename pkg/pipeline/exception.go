package pipeline

import "time"

// Exception is what a rule says of itself that hides something for a time: a difference from a drift scan, or a
// finding from a scan for compliance.
type Exception struct {
	Reason string
	Owner  string    // who answers for it
	Until  time.Time // it hides nothing from here on
	Where  Position  // of the rule, for messages
}

// exceptionNotice is how long before its end an exception is announced.
const exceptionNotice = 14 * 24 * time.Hour

// Expired reports whether the exception has no effect any more.
func (e Exception) Expired(now time.Time) bool { return !now.Before(e.Until) }

// EndsSoon reports whether the exception ends within 14 days.
func (e Exception) EndsSoon(now time.Time) bool {
	return !e.Expired(now) && e.Until.Sub(now) <= exceptionNotice
}

// LastDay is the last day on which the exception has an effect, as a date.
func (e Exception) LastDay() string { return e.Until.Add(-time.Second).Format(time.DateOnly) }
