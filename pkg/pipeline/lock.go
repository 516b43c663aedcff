package pipeline

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
)

// maxLock bounds the record of a lock, in bytes; the tool's own have some hundred.
const maxLock = 64 << 10

// Lock is who holds the lock of a state, as the tool writes it into its lock
// object. Anybody who can write there can write what they like: it is shown and
// never trusted.
type Lock struct {
	ID        string    `json:"id"`
	Operation string    `json:"operation"`
	Who       string    `json:"who"`
	Created   time.Time `json:"created"`
	// Ends: it is an operation of the service that keeps the state, which goes on without any process of
	// ours and ends by itself. Nothing releases it.
	Ends bool `json:"ends,omitempty"`
}

// DamagedLock is the record of a lock that no tool has written so. Who holds the lock is
// not known then, and that the state is locked is assumed.
type DamagedLock struct {
	Place string `json:"place"`  // of the record; empty where its reader does not know it
	Why   string `json:"reason"` // without a word of the content
}

func (e *DamagedLock) Error() string { return e.refusal().Error() }

// Unwrap gives the refusal of a command that needs to know the holder.
func (e *DamagedLock) Unwrap() error { return e.refusal() }

func (e *DamagedLock) refusal() *RefusedError {
	place := e.Place
	if place == "" {
		place = "the record"
	}
	return &RefusedError{Reason: ReasonLocked, Message: fmt.Sprintf("the record of the lock is damaged (%s), so it is not known who holds the lock: %s", e.Why, place),
		Next: "when you know that no process works on the state, remove " + place}
}

// ParseLock reads the record of a lock. Text in it is cut to one printable line of
// at most 200 characters. A record that names no lock, or no time, is a *DamagedLock.
func ParseLock(r io.Reader) (Lock, error) {
	var raw struct{ ID, Operation, Who, Created string }
	content, err := io.ReadAll(io.LimitReader(r, maxLock+1))
	if err != nil {
		return Lock{}, fmt.Errorf("read the lock: %w", err)
	}
	if len(content) > maxLock {
		return Lock{}, &DamagedLock{Why: fmt.Sprintf("it has more than %d bytes", maxLock)}
	}
	if err := json.Unmarshal(content, &raw); err != nil {
		return Lock{}, &DamagedLock{Why: damageOf(content, err)}
	}
	lock := Lock{ID: PlainLine(raw.ID), Operation: strings.ToLower(strings.TrimPrefix(PlainLine(raw.Operation), "OperationType")), Who: PlainLine(raw.Who)}
	if lock.ID == "" {
		return Lock{}, &DamagedLock{Why: "it has no ID"}
	}
	if raw.Created == "" {
		return Lock{}, &DamagedLock{Why: "it has no Created"}
	}
	at, err := time.Parse(time.RFC3339Nano, raw.Created)
	if err != nil || at.IsZero() {
		return Lock{}, &DamagedLock{Why: "its Created is no time"}
	}
	lock.Created = at.UTC()
	return lock, nil
}

func damageOf(content []byte, err error) string {
	var syntax *json.SyntaxError
	switch {
	case len(content) == 0:
		return "it is empty"
	case errors.As(err, &syntax) && syntax.Offset >= int64(len(content)):
		return "it ends in the middle"
	case errors.As(err, &syntax):
		return fmt.Sprintf("it is no JSON (byte %d)", syntax.Offset)
	}
	return "it has not the form of one"
}

// PlainLine keeps the printable characters of s, at most 200: for text of others in a
// line of ours.
func PlainLine(s string) string {
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n == 200 {
			break
		}
		if n++; unicode.IsPrint(r) {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// String is the lock for people: who, since when and for what.
func (l Lock) String() string {
	holder := l.Who
	if holder == "" {
		holder = "unknown holder"
	}
	if !l.Created.IsZero() {
		holder += " since " + l.Created.Format(time.RFC3339)
	}
	return strings.TrimSpace(fmt.Sprintf("%s (%s, lock %s)", holder, l.Operation, l.ID))
}

// Host is the machine that took the lock: the tool writes user@host.
func (l Lock) Host() string { return l.Who[strings.LastIndexByte(l.Who, '@')+1:] }
