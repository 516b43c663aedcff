package gitstore

import (
	"errors"
	"maps"
	"slices"
	"sort"
)

// errConflict is what a merge returns when both sides changed one file.
var errConflict = errors.New("merge conflict")

// Ancestors are all commits reachable from sha, itself included.
func (o *Store) Ancestors(sha string) map[string]bool {
	seen, todo := map[string]bool{}, []string{sha}
	for len(todo) > 0 {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if c := o.Commits[at]; c != nil && !seen[at] {
			seen[at] = true
			todo = append(todo, c.Parents...)
		}
	}
	return seen
}

// MergeBase is the best common ancestor of two commits: one that no other
// common ancestor descends from, the newest of them. Empty: unrelated.
func (o *Store) MergeBase(a, b string) string {
	of := o.Ancestors(a)
	var common []*Commit
	for sha := range o.Ancestors(b) {
		if of[sha] {
			common = append(common, o.Commits[sha])
		}
	}
	covered := map[string]bool{}
	for _, c := range common {
		for _, p := range c.Parents {
			covered[p] = true
		}
	}
	// The parents of common ancestors are common as well, so what no common one
	// names as parent is a best one.
	common = slices.DeleteFunc(common, func(c *Commit) bool { return covered[c.SHA] })
	if len(common) == 0 {
		return ""
	}
	newestFirst(common)
	return common[0].SHA
}

func newestFirst(cs []*Commit) {
	sort.Slice(cs, func(i, j int) bool {
		if !cs[i].Committer.When.Equal(cs[j].Committer.When) {
			return cs[i].Committer.When.After(cs[j].Committer.When)
		}
		return cs[i].SHA < cs[j].SHA
	})
}

// Between are the commits reachable from head and not from base, parents first.
func (o *Store) Between(base, head string) []*Commit {
	hidden := o.Ancestors(base)
	var out []*Commit
	seen := map[string]bool{}
	type frame struct {
		sha  string
		next int
	}
	stack := []frame{{sha: head}}
	for len(stack) > 0 {
		top := &stack[len(stack)-1]
		c := o.Commits[top.sha]
		if c == nil || hidden[top.sha] || top.next == 0 && seen[top.sha] {
			stack = stack[:len(stack)-1]
			continue
		}
		seen[top.sha] = true
		if top.next < len(c.Parents) {
			top.next++
			if p := c.Parents[top.next-1]; !seen[p] {
				stack = append(stack, frame{sha: p})
			}
			continue
		}
		out = append(out, c)
		stack = stack[:len(stack)-1]
	}
	return out
}

// mergeTrees is a three-way merge by whole files: what only one side changed is
// taken from that side.
func (o *Store) mergeTrees(base, ours, theirs string) (string, error) {
	b, x, y := o.Flatten(base), o.Flatten(ours), o.Flatten(theirs)
	merged := map[string]Leaf{}
	paths := map[string]bool{}
	for _, side := range []map[string]Leaf{b, x, y} {
		for p := range maps.Keys(side) {
			paths[p] = true
		}
	}
	for p := range paths {
		take := x[p]
		if x[p] == b[p] {
			take = y[p]
		} else if y[p] != b[p] && x[p] != y[p] {
			return "", errConflict
		}
		if take != (Leaf{}) {
			merged[p] = take
		}
	}
	tree, err := o.Build(merged)
	if err != nil {
		return "", errConflict
	}
	return tree, nil
}

// MergeCommits merges theirs into ours and returns the tree of the result.
func (o *Store) MergeCommits(ours, theirs string) (string, error) {
	var base string
	if sha := o.MergeBase(ours, theirs); sha != "" {
		base = o.Commits[sha].Tree
	}
	return o.mergeTrees(base, o.Commits[ours].Tree, o.Commits[theirs].Tree)
}
