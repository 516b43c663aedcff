package pipeline_test

import (
	"errors"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

const toolsLock = `{"ID":"4d2e","Operation":"OperationTypeApply","Info":"","Who":"runner@host","Version":"1.11.4","Created":"2026-11-21T22:33:48.123456Z","Path":"b/k"}`

func TestParseLock(t *testing.T) {
	t.Parallel()
	lock, err := pipeline.ParseLock(strings.NewReader(toolsLock))
	want := pipeline.Lock{ID: "4d2e", Operation: "apply", Who: "runner@host", Created: time.Date(2026, 11, 21, 22, 33, 48, 123456000, time.UTC)}
	if err != nil || lock != want {
		t.Errorf("got %+v, %v", lock, err)
	}
	if got := lock.String(); got != "runner@host since 2026-11-21T22:33:48Z (apply, lock 4d2e)" {
		t.Errorf("got %q", got)
	}
	for text, why := range map[string]string{"": "it is empty", "null and more": "no JSON", "null": "no ID", "{}": "no ID", "[]": "not the form", `{"ID": 7}`: "not the form",
		`{"ID":"4d2e"}`: "no Created", `{"ID":"4d2e","Created":"yesterday"}`: "no time", `{"ID":"4d2e","Created":"0001-01-01T00:00:00Z"}`: "no time", `{"ID":"4d2e","Created":7}`: "not the form", strings.Repeat(" ", 70<<10): "more than 65536 bytes",
		toolsLock[:len(toolsLock)/2]: "ends in the middle", "<html>secret</html>": "no JSON (byte 1)"} {
		lock, err := pipeline.ParseLock(strings.NewReader(text))
		var damaged *pipeline.DamagedLock
		var refused *pipeline.RefusedError
		if !errors.As(err, &damaged) || !strings.Contains(damaged.Why, why) || !errors.As(err, &refused) || refused.Reason != pipeline.ReasonLocked || strings.Contains(err.Error(), "secret") {
			t.Errorf("%.20q gave %+v, %v", text, lock, err)
		}
	}
	broken := errors.New("connection reset")
	if _, err := pipeline.ParseLock(iotest.ErrReader(broken)); !errors.Is(err, broken) || errors.As(err, new(*pipeline.DamagedLock)) {
		t.Errorf("what could not be read is damaged: %v", err)
	}
}

func FuzzParseLock(f *testing.F) {
	f.Add(toolsLock)
	f.Add(`{"Who":"\u001b[2J\n::error::x"}`)
	f.Add(`{}`)
	f.Fuzz(func(t *testing.T, text string) {
		lock, err := pipeline.ParseLock(strings.NewReader(text))
		if err != nil {
			return
		}
		if s := lock.String(); strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) || len([]rune(s)) > 700 {
			t.Errorf("%q", s)
		}
	})
}
