package hub

import (
	"time"
)

type issue struct {
	id                         int64
	number                     int
	title, body, author, state string
	reason                     string
	closedBy                   string
	created, updated, closedAt time.Time
	comments                   []*comment
	labels                     []string
}

type comment struct {
	id               int64
	author, body     string
	created, updated time.Time
	edits            int
}

// thread is what issues and pull requests have in common: on GitHub every pull
// request is an issue.
type thread struct {
	pull     *pull
	issue    *issue
	number   int
	comments *[]*comment
	labels   *[]string
	updated  *time.Time
}

type label struct {
	id                       int64
	name, color, description string
}
