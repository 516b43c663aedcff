package sources

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"

	"github.com/metapipe/metapipe/pkg/pipeline/sourcesync"
)

// ranged answers as Active Directory does: a list comes in parts of 1,500.
type ranged struct {
	members int
	stuck   bool // it gives the first part again and again
	asked   int
}

func (r *ranged) Search(q *ldap.SearchRequest) (*ldap.SearchResult, error) {
	r.asked++
	e := &ldap.Entry{DN: q.BaseDN}
	for _, name := range q.Attributes {
		attribute, span, isPart := strings.Cut(name, ";range=")
		if attribute != "member" {
			continue
		}
		from := 0
		if isPart {
			var err error
			if from, err = strconv.Atoi(strings.TrimSuffix(span, "-*")); err != nil || from >= r.members {
				return nil, errors.New("unwilling to perform")
			}
		}
		if r.stuck {
			from = 0
		}
		to, end := from+1500, strconv.Itoa(from+1499)
		if to >= r.members {
			to, end = r.members, "*"
		}
		a := &ldap.EntryAttribute{Name: fmt.Sprintf("member;range=%d-%s", from, end)}
		for i := from; i < to; i++ {
			a.Values = append(a.Values, fmt.Sprintf("cn=p%d,dc=x", i))
		}
		e.Attributes = append(e.Attributes, &ldap.EntryAttribute{Name: "member"}, a)
	}
	return &ldap.SearchResult{Entries: []*ldap.Entry{e}}, nil
}

// TestRanges reads a list that Active Directory gives in parts.
func TestRanges(t *testing.T) {
	t.Parallel()
	for _, members := range []int{1, 1499, 1500, 1501, 4000} {
		server := &ranged{members: members}
		s := searcher{conn: server, config: sourcesync.SourceConfig{}}
		all, err := s.members("cn=group,dc=x")
		if err != nil || len(all) != members || all[members-1] != fmt.Sprintf("cn=p%d,dc=x", members-1) {
			t.Errorf("%d members: %d, %v", members, len(all), err)
		}
		if want := (members + 1499) / 1500; server.asked != want {
			t.Errorf("%d members: %d requests", members, server.asked)
		}
	}
	s := searcher{conn: &ranged{members: 4000, stuck: true}}
	if all, err := s.members("cn=group,dc=x"); err == nil {
		t.Errorf("a list that does not end: %d", len(all))
	}
}
