package pipeline

import "slices"

// Exactness says how much of the truth a plan is.
type Exactness string

// The levels, the lowest first.
const (
	ExactnessPredicted Exactness = "predicted" // a rehearsal of the run
	ExactnessBound     Exactness = "bound"     // the apply does at most this
	ExactnessExact     Exactness = "exact"     // the saved plan is what is applied
)

// ExactnessLevels are all levels, the lowest first.
func ExactnessLevels() []Exactness {
	return []Exactness{ExactnessPredicted, ExactnessBound, ExactnessExact}
}

// Known reports whether e is one of the levels.
func (e Exactness) Known() bool { return slices.Contains(ExactnessLevels(), e) }

// Meets reports whether a plan of this level is enough where demanded is asked for. An
// unknown level is enough for nothing; an empty demand asks for nothing.
func (e Exactness) Meets(demanded Exactness) bool {
	if demanded == "" {
		return true
	}
	levels := ExactnessLevels()
	return e.Known() && demanded.Known() && slices.Index(levels, e) >= slices.Index(levels, demanded)
}

// Sentence says in plain words what people can rely on; empty for an exact plan.
func (e Exactness) Sentence() string {
	switch e {
	case ExactnessExact:
		return ""
	case ExactnessBound:
		return "The apply does at most what this plan shows, and may do less."
	case ExactnessPredicted:
		return "It is a rehearsal: the apply runs the tool again and may do something else."
	}
	return "How exact this plan is, is not known."
}
