package render

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline/fleetstatus"
)

// FleetStatus is the status of the fleet for a terminal: how many targets are in which
// state, a line for each target, and what could not be read.
func FleetStatus(f fleetstatus.Fleet) string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s\n", fleetCounts(f))
	if len(f.Targets) > 0 {
		w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "  TARGET\tSTATE\tSINCE\tREQUEST\tWHO\tWAITS FOR\tLAST APPLY\tDRIFT")
		for _, t := range f.Targets {
			request, who := "", ""
			if t.Request != nil {
				request, who = t.Request.ID.Short(), t.Request.Actor
			}
			fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", t.Target, dash(stateText(t)), dash(timeText(t.Since)), dash(request), dash(who), dash(t.WaitsFor),
				dash(applyText(t)), dash(driftText(f, t)))
		}
		_ = w.Flush() // into memory
	}
	for _, t := range f.Targets {
		if t.Unread != "" {
			fmt.Fprintf(&out, "  ✗ %s: %s\n", t.Target, TerminalLine(t.Unread))
		}
	}
	if f.DriftUnread != "" {
		fmt.Fprintf(&out, "  · %s\n", TerminalLine(f.DriftUnread))
	}
	if f.IssuesUnread != "" {
		fmt.Fprintf(&out, "  · %s\n", TerminalLine(f.IssuesUnread))
	}
	return Terminal(out.String())
}

// fleetCounts counts the states in the order in which they first come.
func fleetCounts(f fleetstatus.Fleet) string {
	counts := map[fleetstatus.State]int{}
	var order []fleetstatus.State
	for _, t := range f.Targets {
		if counts[t.State]++; counts[t.State] == 1 {
			order = append(order, t.State)
		}
	}
	text := counted(len(f.Targets), "target", "targets")
	for i, state := range order {
		separator := ", "
		if i == 0 {
			separator = ": "
		}
		text += fmt.Sprintf("%s%d %s", separator, counts[state], TerminalLine(string(state)))
	}
	return text
}

// stateText adds the reason of a state that has one.
func stateText(t fleetstatus.Target) string {
	if t.Request == nil || t.Request.Reason == "" || string(t.Request.Reason) == string(t.State) {
		return string(t.State)
	}
	return fmt.Sprintf("%s (%s)", t.State, t.Request.Reason)
}

func timeText(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.RFC3339)
}

func applyText(t fleetstatus.Target) string {
	a := t.LastApply
	switch {
	case t.State == fleetstatus.Unknown:
		return "unknown"
	case a == nil:
		return ""
	}
	text := timeText(a.At)
	if a.Commit != "" {
		text += " " + a.Commit.Short()
	}
	if a.Actor != "" {
		text += " by " + a.Actor
	}
	return text
}

func driftText(f fleetstatus.Fleet, t fleetstatus.Target) string {
	switch d := t.Drift; {
	case f.DriftUnread != "":
		return "unknown"
	case d == nil:
		return "not checked"
	case d.Failed:
		return "check failed " + timeText(d.CheckedAt)
	case len(d.Kinds) == 0:
		return "none"
	default:
		text := strings.Join(d.Kinds, ", ") + " since " + timeText(d.FirstSeen)
		switch {
		case f.IssuesUnread != "":
			text += ", issue unknown"
		case d.IssueURL != "":
			text += " " + d.IssueURL
		}
		return text
	}
}
