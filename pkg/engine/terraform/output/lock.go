package output

import (
	"fmt"
	"slices"
	"strings"
	"time"

	tfjson "github.com/hashicorp/terraform-json"

	"github.com/metapipe/metapipe/pkg/engine/redact"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/text"
)

func IsError(d tfjson.Diagnostic) bool { return d.Severity == tfjson.DiagnosticSeverityError }

// IsFrame reports diagnostics that only announce or follow others.
func IsFrame(d tfjson.Diagnostic) bool {
	return d.Range == nil && d.Detail == "" &&
		(strings.Contains(d.Summary, "encountered problems during initiali") || d.Summary == "execution halted")
}

// WithoutEchoes leaves out what a diagnostic that names the module says again: the tool
// reports a directory that is missing twice, first without the place.
func WithoutEchoes(all []tfjson.Diagnostic) []tfjson.Diagnostic {
	named := slices.ContainsFunc(all, func(d tfjson.Diagnostic) bool {
		_, ok := ModuleOf(d.Detail)
		return ok && strings.HasPrefix(d.Summary, unreadableModule)
	})
	if !named {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), func(d tfjson.Diagnostic) bool {
		_, ok := ModuleOf(d.Detail)
		return !ok && strings.HasPrefix(d.Summary, unreadableModule)
	})
}

const unreadableModule = "Unreadable module directory"

// lockInfo reads who holds a lock from the text of the tool.
var lockInfo = text.Pattern(`(?m)^\s*(ID|Operation|Who|Created):[ \t]*(.*\S)\s*$`)

var httpLock = text.Pattern(`HTTP\s+remote\s+state\s+already\s+locked:\s+ID=([^\s,;]+)`)

// LockOf reads the lock that a diagnostic is about, nil when it is about none.
func LockOf(summary, detail string) *pipeline.Lock {
	if !strings.HasPrefix(summary, "Error acquiring the state lock") {
		return nil
	}
	info := map[string]string{}
	for _, m := range lockInfo().FindAllStringSubmatch(redact.Clean(detail), -1) {
		info[m[1]] = m[2]
	}
	// Behind HTTP the tool describes the lock that it could not get, and of the
	// one in its way the id alone.
	if m := httpLock().FindStringSubmatch(redact.Clean(detail)); m != nil {
		return &pipeline.Lock{ID: m[1]}
	}
	if info["Who"] == "" {
		return nil
	}
	lock := &pipeline.Lock{ID: info["ID"], Who: info["Who"], Operation: strings.ToLower(strings.TrimPrefix(info["Operation"], "OperationType"))}
	if at, err := time.Parse("2006-01-02 15:04:05.999999999 -0700 MST", info["Created"]); err == nil {
		lock.Created = at.UTC()
	}
	return lock
}

func LockRemedy(summary, detail string) string {
	lock := LockOf(summary, detail)
	if lock == nil || lock.Who == "" {
		return "another process holds the lock of this state: wait for that run to end and try again"
	}
	return fmt.Sprintf("%s holds the lock of this state since %s (%s, lock %s): wait for that run to end and try again",
		lock.Who, lock.Created.Format(time.DateTime), lock.Operation, lock.ID)
}
