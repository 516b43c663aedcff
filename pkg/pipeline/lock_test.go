package pipeline_test

import (
	"strings"
	"testing"
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
	for _, text := range []string{"", "null and more", "[]", `{"ID": 7}`, strings.Repeat(" ", 70<<10)} {
		if lock, err := pipeline.ParseLock(strings.NewReader(text)); err == nil {
			t.Errorf("%.20q gave %+v", text, lock)
		}
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
