package spacelift

import (
	"regexp"
	"strings"
	"time"
)

const utc = "UTC"

var cronField = regexp.MustCompile(`^[0-9A-Za-z*,/-]+$`)

func driftCreate(q *query, st *Stack, args map[string]any) (any, *problem) {
	if st.Drift != nil {
		return nil, wrong("could not create drift detection integration: stack already has one")
	}
	return st.setDrift(input(args, "input"))
}

func driftUpdate(_ *query, st *Stack, args map[string]any) (any, *problem) {
	if st.Drift == nil {
		return nil, wrong("drift detection integration not found")
	}
	return st.setDrift(input(args, "input"))
}

// setDrift stores a schedule, also on public workers, where it never runs.
func (st *Stack) setDrift(in map[string]any) (any, *problem) {
	d := &Drift{Reconcile: flag(in, "reconcile"), IgnoreState: flag(in, "ignoreState"), Schedule: texts(in, "schedule"), Timezone: str(in, "timezone")}
	if d.Timezone == "" {
		d.Timezone = utc
	}
	if len(d.Schedule) == 0 {
		return nil, wrong("drift detection integration has 1 error: schedule: cannot be empty")
	}
	for _, expression := range d.Schedule {
		if !isCron(expression) {
			return nil, wrong("drift detection integration has 1 error: schedule: %q is no cron expression", expression)
		}
	}
	if _, err := time.LoadLocation(d.Timezone); err != nil {
		return nil, wrong("drift detection integration has 1 error: timezone: %q is not known", d.Timezone)
	}
	st.Drift = d
	return d.fields(), nil
}

func isCron(expression string) bool {
	fields := strings.Fields(expression)
	for _, field := range fields {
		if !cronField.MatchString(field) {
			return false
		}
	}
	return len(fields) == 5
}

func driftDelete(_ *query, st *Stack, _ map[string]any) (any, *problem) {
	if st.Drift == nil {
		return nil, wrong("drift detection integration not found")
	}
	fields := st.Drift.fields()
	fields["deleted"] = true
	st.Drift = nil
	return fields, nil
}

// fields are those of a schedule; without one they have no expression.
func (d *Drift) fields() object {
	if d == nil {
		d = &Drift{Timezone: utc}
	}
	return object{"deleted": false, "reconcile": d.Reconcile, "ignoreState": d.IgnoreState, "schedule": anyList(d.Schedule), "timezone": d.Timezone}
}

// DetectDrift starts the drift runs that are due on a schedule: on each stack that has one,
// is enabled, not locked, has private workers and no unfinished run, and has finished its
// last run or ignores that. It returns the ids of these stacks.
func (s *Server) DetectDrift() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var started []string
	for _, id := range s.stackIDs() {
		st := s.stacks[id]
		ready := st.Drift != nil && st.WorkerPool != "" && !st.idle() && st.blocker() == nil
		if !ready || st.state() != stateFinished && !st.Drift.IgnoreState {
			continue
		}
		s.startRun(st, Run{Type: runProposed, Title: "Drift detection", TriggeredBy: "drift detection", Commit: s.commitOf(st), Drift: true})
		started = append(started, id)
	}
	return started
}
