package pipeline

import (
	"encoding/json"
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
}

// ParseLock reads the record of a lock. Text in it is cut to one printable line of
// at most 200 characters.
func ParseLock(r io.Reader) (Lock, error) {
	var raw struct{ ID, Operation, Who, Created string }
	content, err := io.ReadAll(io.LimitReader(r, maxLock+1))
	if err != nil {
		return Lock{}, fmt.Errorf("read the lock: %w", err)
	}
	if len(content) > maxLock {
		return Lock{}, fmt.Errorf("the lock has more than %d bytes", maxLock)
	}
	if err := json.Unmarshal(content, &raw); err != nil {
		return Lock{}, fmt.Errorf("the lock is not in the form of the tool: %w", err)
	}
	lock := Lock{ID: PlainLine(raw.ID), Operation: strings.ToLower(strings.TrimPrefix(PlainLine(raw.Operation), "OperationType")), Who: PlainLine(raw.Who)}
	if at, err := time.Parse(time.RFC3339Nano, raw.Created); err == nil {
		lock.Created = at.UTC()
	}
	return lock, nil
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
		holder = "somebody"
	}
	if !l.Created.IsZero() {
		holder += " since " + l.Created.Format(time.RFC3339)
	}
	return strings.TrimSpace(fmt.Sprintf("%s (%s, lock %s)", holder, l.Operation, l.ID))
}

// Host is the machine that took the lock: the tool writes user@host.
func (l Lock) Host() string { return l.Who[strings.LastIndexByte(l.Who, '@')+1:] }
