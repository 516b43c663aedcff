package pipeline

import (
	"strings"
)

// WithRequestTag appends the request id, by which trigger knows its own statuses. The
// text gives way, so that 140 characters hold both.
func WithRequestTag(description string, id RequestID) string {
	runes := []rune(description)
	if room := 140 - len(RequestTag(id)); len(runes) > room {
		description = string(runes[:room-1]) + "…"
	}
	return description + RequestTag(id)
}

func RequestTag(id RequestID) string { return " (" + id.Short() + ")" }

// StatusOf finds the status of a request in its overall context, and false when
// the context shows another request, or none.
func StatusOf(statuses []Status, statusContext string, id RequestID) (Status, bool) {
	for _, s := range statuses {
		if strings.EqualFold(s.Context, statusContext) && strings.HasSuffix(s.Description, RequestTag(id)) {
			return s, true
		}
	}
	return Status{}, false
}
