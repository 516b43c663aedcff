package record

import (
	"path"
	"strconv"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Places are the entries that a request has by itself in the indexes, but for that of the
// open requests: whether it is open does not follow from its record.
func Places(r pipeline.Request) []string {
	keys := []string{CommitOf(r).Own(r)}
	if r.PullRequest > 0 {
		keys = append(keys, PullOf(r.Customer, r.PullRequest).Own(r))
	}
	for _, t := range r.Targets {
		if r.Applies(t.Target) {
			keys = append(keys, QueueOf(t.Target).Own(r))
		}
	}
	return keys
}

// IndexOf is the index that a key of the store lies in; false where it lies in none. The
// open requests are no such index: OpenEntryOf reads their keys.
func IndexOf(key string) (Index, bool) {
	name, rest, _ := strings.Cut(key, "/")
	c, err := pipeline.ParseCustomerName(name)
	if err != nil {
		return Index{}, false
	}
	folder, _ := path.Split(rest)
	parts := strings.Split(strings.TrimSuffix(folder, "/"), "/")
	switch {
	case len(parts) == 3 && parts[0] == "requests" && parts[1] == "by-commit":
		return commitIndex(c, pipeline.SHA(parts[2])), true
	case len(parts) == 2 && parts[0] == "pulls":
		if number, err := strconv.Atoi(parts[1]); err == nil && strconv.Itoa(number) == parts[1] {
			return PullOf(c, number), true
		}
	case len(parts) == 2 && parts[1] == "queue":
		if t, err := c.ParsePart(parts[0]); err == nil {
			return QueueOf(t), true
		}
	}
	return Index{}, false
}

// RequestOf reads the id out of the key of the record of a request; false for a key of
// another form.
func RequestOf(c pipeline.CustomerName, key string) (pipeline.RequestID, bool) {
	name, isRecord := strings.CutSuffix(path.Base(key), ".json")
	id, err := pipeline.ParseRequestID(name)
	return id, isRecord && err == nil && RequestKey(c, id) == key
}
