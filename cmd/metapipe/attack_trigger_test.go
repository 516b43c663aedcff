package main

import (
	"encoding/json"
	"os"
	"strconv"
	"strings"
)

// changeEvent changes fields of the event file of the present run:
// event FIELD.FIELD=JSON ...
func (a *attempt) changeEvent(changes []string) {
	a.t.Helper()
	event := map[string]any{}
	check(a.t, json.Unmarshal(a.run.event, &event))
	for _, change := range changes {
		field, text, ok := strings.Cut(change, "=")
		if !ok {
			a.t.Fatalf("%q is not FIELD=JSON", change)
		}
		var value any
		check(a.t, json.Unmarshal([]byte(text), &value))
		at := event
		names := strings.Split(field, ".")
		for _, name := range names[:len(names)-1] {
			below, ok := at[name].(map[string]any)
			if !ok {
				a.t.Fatalf("the event has no object %s of %s", name, field)
			}
			at = below
		}
		at[names[len(names)-1]] = value
	}
	a.run.event = must(json.Marshal(event))(a.t)
}

// unsent runs the attacker's own trigger: it sends nothing, says why, and leaves no
// green status that the commit did not have: unsent EXIT TEXT [FLAG ...].
func (a *attempt) unsent(args []string) {
	a.t.Helper()
	exit, err := strconv.Atoi(args[0])
	check(a.t, err)
	check(a.t, os.MkdirAll(a.store, 0o700)) // nothing comes that far here
	before := a.statuses(a.values["COMMIT"])
	end := a.job(a.run).do(exit, append([]string{"trigger", "--wait", "1m"}, args[2:]...)...)
	if !strings.Contains(end.log, args[1]) {
		a.t.Errorf("trigger %v does not say %q:\n%s", args[2:], args[1], end.log)
	}
	a.wantNoDispatch()
	for context, status := range a.statuses(a.values["COMMIT"]) {
		if strings.HasPrefix(status, "success") && status != before[context] {
			a.t.Errorf("trigger %v: %s says %q", args[2:], context, status)
		}
	}
	a.verdicts++
}
