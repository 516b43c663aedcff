package sources

import (
	"errors"
	"strconv"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// maxGroups is how many groups can lie in each other.
const maxGroups = 10_000

// memberAttributes hold the members of a group: those of groupOfNames and of Active Directory, and of groupOfUniqueNames.
var memberAttributes = []string{"member", "uniqueMember"}

// membersOf are the entries that are members of a group, or of a group in it, however deep. A member that
// cannot be read is an error: it may be a group.
func (s searcher) membersOf(entries []*ldap.Entry, group string) ([]*ldap.Entry, error) {
	people := make(map[string]*ldap.Entry, len(entries))
	for _, e := range entries {
		people[plainDN(e.DN)] = e
	}
	members, asked := map[string]bool{}, map[string]bool{}
	for open := []string{group}; len(open) > 0; {
		dn := open[0]
		open = open[1:]
		if asked[plainDN(dn)] {
			continue
		}
		asked[plainDN(dn)] = true
		if len(asked) > maxGroups {
			return nil, errors.New("the group " + pipeline.Quote(group) + " has more than 10000 groups in it")
		}
		names, err := s.members(dn)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if plain := plainDN(name); people[plain] != nil {
				members[plain] = true
			} else if !asked[plain] {
				open = append(open, name)
			}
		}
	}
	var all []*ldap.Entry
	for _, e := range entries {
		if members[plainDN(e.DN)] {
			all = append(all, e)
		}
	}
	return all, nil
}

// members are the names of the members of an entry; none where it is no group.
func (s searcher) members(dn string) (all []string, err error) {
	e, err := s.one(dn, memberAttributes...)
	if err != nil {
		return nil, err
	}
	for _, name := range memberAttributes {
		values, _, err := s.values(e, name)
		if err != nil {
			return nil, err
		}
		for _, v := range values {
			if v != "" { // an empty groupOfNames has the empty name
				all = append(all, v)
			}
		}
	}
	return all, nil
}

// plainDN is a name in the form in which equal names are equal texts.
func plainDN(dn string) string {
	parsed, err := ldap.ParseDN(dn)
	if err != nil {
		return strings.ToLower(dn)
	}
	return strings.ToLower(parsed.String())
}

// after is the place behind the end of a part of a list.
func after(end string) string {
	n, err := strconv.Atoi(end)
	if err != nil {
		return end // no place: the server refuses it
	}
	return strconv.Itoa(n + 1)
}
