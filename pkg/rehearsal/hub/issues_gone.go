package hub

import (
	"fmt"
	"net/http"
	"strconv"
)

// DeleteIssue removes an issue, as an administrator can. Its number is not used
// again, and answers 410.
func (r *Repo) DeleteIssue(number int) error {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	if r.issues[number] == nil {
		return fmt.Errorf("delete issue #%d of %s: there is none", number, r.slug())
	}
	delete(r.issues, number)
	r.gone[number] = ""
	return nil
}

// TransferIssue moves an issue to another repository of the same owner, where it
// gets the next number and keeps its author. Its old number redirects to it
// (https://docs.github.com/issues/tracking-your-work-with-issues/administering-issues/transferring-an-issue-to-another-repository).
func (r *Repo) TransferIssue(number int, to *Repo) (int, error) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	i := r.issues[number]
	if i == nil || to.owner != r.owner || to.noIssues {
		return 0, fmt.Errorf("transfer issue #%d of %s to %s: there is none, or it cannot be taken", number, r.slug(), to.slug())
	}
	delete(r.issues, number)
	to.number++
	i.number = to.number
	i.labels = to.useLabels(i.labels)
	to.issues[i.number] = i
	r.gone[number] = to.api() + "/issues/" + strconv.Itoa(i.number)
	return i.number, nil
}

// goneIssue answers for a number whose issue was deleted or moved; false for others.
func (r *Repo) goneIssue(number int) (reply, bool) {
	to, gone := r.gone[number]
	switch {
	case !gone:
		return reply{}, false
	case to == "":
		return problem(http.StatusGone, "This issue was deleted"), true
	}
	moved := problem(http.StatusMovedPermanently, "Moved Permanently")
	moved.header = http.Header{"Location": {to}}
	return moved, true
}
