package github

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
)

const (
	// maxPageSize is the most that GitHub gives at once of a list.
	maxPageSize = 100
	// goodPages is after how many answers in a row larger pages are tried again.
	goodPages = 5
)

// pageSize is how many entries of a list are asked for at once.
type pageSize struct {
	now, limit int
	good       int // answers in a row
}

func newPageSize() pageSize { return pageSize{now: maxPageSize, limit: maxPageSize} }

// halve makes pages smaller since GitHub has not managed one; false: they cannot be.
func (s *pageSize) halve() bool {
	s.good = 0
	if s.now == 1 {
		return false
	}
	s.now /= 2
	s.limit = s.now
	return true
}

// answered makes pages larger again.
func (s *pageSize) answered() {
	if s.good++; s.good%goodPages == 0 {
		s.limit = min(2*s.limit, maxPageSize)
	}
	s.now = min(2*s.now, s.limit)
}

// passed lets pages of any size come again: what made them too large lies behind.
func (s *pageSize) passed() { s.limit = maxPageSize }

// connection is a list in an answer. GitHub has its entries as nodes, or as edges where
// something is to be said of their place in the list.
type connection struct {
	Total *int              `json:"totalCount"`
	Nodes []json.RawMessage `json:"nodes"`
	Edges []json.RawMessage `json:"edges"`
	Page  struct {
		More *bool   `json:"hasNextPage"`
		End  *string `json:"endCursor"`
	} `json:"pageInfo"`
}

// list is what was read of a list so far. It refuses pages that do not add up to one.
type list struct {
	after *string // the cursor of the next page; nil: the first one
	read  int     // entries, those among them that GitHub has left out
	ids   map[int64]bool
	done  bool
}

// take adds a page of at most size entries, or nothing. The ids of its entries are those that are
// known.
func (l *list) take(c *connection, entries, size int, ids []int64) error {
	if c == nil || c.Total == nil || c.Page.More == nil {
		return errors.New("the answer lacks a list, its length or its end")
	}
	end, read, done := c.Page.End, l.read+entries, !*c.Page.More
	fresh := make(map[int64]bool, len(ids))
	for _, id := range ids {
		if l.ids[id] || fresh[id] {
			return fmt.Errorf("the id %d is in a list twice", id)
		}
		fresh[id] = true
	}
	switch {
	case entries > size:
		return fmt.Errorf("the answer has %d entries of a list, and %d were asked for", entries, size)
	case !done && (entries == 0 || end == nil || l.after != nil && *end == *l.after):
		return errors.New("the answer does not say where the next page of a list begins")
	case read > *c.Total || done && read < *c.Total:
		return fmt.Errorf("GitHub counts %d entries of a list, and %d were read", *c.Total, read)
	}
	if l.ids == nil {
		l.ids = map[int64]bool{}
	}
	maps.Copy(l.ids, fresh)
	l.after, l.read, l.done = end, read, done
	return nil
}

// entryOf is the place of a problem in a list at the path, and the field of the entry; an empty
// one is the entry itself.
func (p *graphQLProblem) entryOf(path ...string) (place int, field string, isEntry bool) {
	if !p.at(path...) || len(p.Path) == len(path) || json.Unmarshal(p.Path[len(path)], &place) != nil || place < 0 {
		return 0, "", false
	}
	if len(p.Path) > len(path)+1 && json.Unmarshal(p.Path[len(path)+1], &field) != nil {
		return 0, "", false
	}
	return place, field, true
}
