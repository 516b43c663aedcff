package runner

import (
	"context"
	"strings"
	"sync"
)

// Groups are the concurrency groups of a repository. Source:
// https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax#concurrency
type Groups struct {
	mu     sync.Mutex
	groups map[string]*group
}

type group struct {
	holder  *claim
	waiting []*claim
}

// claim is a job or run in a group, or one that waits for it.
type claim struct {
	granted chan struct{} // closed when it is its turn
	cancel  context.CancelFunc
}

// maxWaiting is how many wait with `queue: max`; otherwise one.
const maxWaiting = 100

// limit is how a job or a run wants to enter a group. The zero value wants no group.
type limit struct {
	group  string
	cancel bool // cancel-in-progress
	most   int  // that wait
}

// enter waits until the group is free, and returns what leaves it. cancel is called when a later one takes the
// place. The error is that of ctx.
func (g *Groups) enter(ctx context.Context, l limit, cancel context.CancelFunc) (leave func(), err error) {
	if l.group == "" {
		return func() {}, nil
	}
	name := strings.ToLower(l.group)
	c := &claim{granted: make(chan struct{}), cancel: cancel}
	g.mu.Lock()
	if g.groups == nil {
		g.groups = map[string]*group{}
	}
	x := g.groups[name]
	if x == nil {
		x = &group{}
		g.groups[name] = x
	}
	var replaced []*claim
	if l.cancel {
		replaced, x.waiting = x.waiting, nil
		if x.holder != nil {
			replaced = append(replaced, x.holder)
		}
	}
	if x.holder == nil {
		x.holder = c
		close(c.granted)
	} else {
		x.waiting = append(x.waiting, c)
		if over := len(x.waiting) - l.most; over > 0 {
			replaced, x.waiting = append(replaced, x.waiting[:over]...), x.waiting[over:]
		}
	}
	g.mu.Unlock()
	for _, r := range replaced {
		r.cancel()
	}
	leave = func() { g.leave(x, c) }
	select {
	case <-c.granted:
		return leave, nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}

func (g *Groups) leave(x *group, c *claim) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, w := range x.waiting {
		if w == c {
			x.waiting = append(x.waiting[:i:i], x.waiting[i+1:]...)
			return
		}
	}
	if x.holder != c {
		return
	}
	x.holder = nil
	if len(x.waiting) > 0 {
		x.holder, x.waiting = x.waiting[0], x.waiting[1:]
		close(x.holder.granted)
	}
}
