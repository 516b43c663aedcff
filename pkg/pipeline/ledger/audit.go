package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// auditedCommits is how many commits an audit reads the statuses of, the newest
// first: one call for each.
const auditedCommits = 50

// AuditReport is what is reported of one ledger.
type AuditReport struct {
	Customer    pipeline.CustomerName `json:"customer,omitempty"`
	Environment pipeline.Environment  `json:"environment,omitempty"`
	Stack       pipeline.StackName    `json:"stack,omitempty"`
	Entries     []Entry               `json:"entries"` // oldest first, as far as the chain holds
	Head        pipeline.LedgerHead   `json:"head"`
	// Deployments and Receipts count the anchors on GitHub that were compared.
	Deployments int `json:"deployments"`
	Receipts    int `json:"receipts"`
	// Findings say what is wrong, Notes what could not be compared.
	Findings []string `json:"findings"`
	Notes    []string `json:"notes,omitempty"`

	broken bool
}

// Empty reports whether there is nothing to print: no entry, no finding and no note.
func (r AuditReport) Empty() bool { return len(r.Entries)+len(r.Findings)+len(r.Notes) == 0 }

// Target is whose ledger it is: without an environment, that of the customer as a whole.
func (r AuditReport) Target() pipeline.Target {
	return pipeline.Target{Customer: r.Customer, Environment: r.Environment, Stack: r.Stack}
}

// Name is the ledger's for people.
func (r AuditReport) Name() string { return Name(r.Target()) }

// Auditor reads ledgers and verifies them: the chain always, and with a
// GitHub also against the anchors in the customer's repository. Customers can
// write such anchors themselves, so findings name who did.
type Auditor struct {
	Ledger Ledger
	GitHub anchorReader // nil: the chain only
}

type anchorReader interface {
	// AllDeployments lists the deployments to an environment of any commit, newest first.
	AllDeployments(ctx context.Context, repo pipeline.Slug, environment string) ([]pipeline.Deployment, error)
	// StatusHistory lists every status of a commit, newest first.
	StatusHistory(ctx context.Context, repo pipeline.Slug, sha pipeline.SHA) ([]pipeline.Status, error)
}

// Chain reads one ledger and verifies that its entries follow each other.
func (a Auditor) Chain(ctx context.Context, t pipeline.Target) (AuditReport, error) {
	r := AuditReport{Customer: t.Customer, Environment: t.Environment, Stack: t.Stack, Entries: []Entry{}, Findings: []string{}}
	entries, head, err := a.Ledger.Read(ctx, t)
	r.Entries, r.Head = append(r.Entries, entries...), head
	r.compareFolds()
	switch {
	case errors.Is(err, ErrBroken):
		r.broken = true
		r.find("%v", err)
		err = nil
	case errors.Is(err, pipeline.ErrTampered):
		r.find("the last entry has no valid signature: %v", err)
		err = nil
	case errors.Is(err, pipeline.ErrUnknownKey):
		r.Notes = append(r.Notes, fmt.Sprintf("the signature of the last entry was not verified: %v", err))
		err = nil
	}
	if err != nil {
		return r, fmt.Errorf("read the ledger of %s: %w", r.Name(), err)
	}
	return r, nil
}

// Target is Chain for a target, which has anchors in the repository of c. The target may have
// a former name of c.
func (a Auditor) Target(ctx context.Context, c pipeline.Customer, t pipeline.Target) (AuditReport, error) {
	r, err := a.Chain(ctx, t)
	if err != nil || a.GitHub == nil || t.Environment == "" { // only targets have anchors
		return r, err
	}
	request := pipeline.Request{Customer: t.Customer, SharedRepository: c.SharedRepository}
	names := []string{request.DeploymentEnvironment(t)}
	contexts := []string{request.StatusContext(t)}
	if !c.SharedRepository { // its trigger may name it all the same
		request.SharedRepository = true
		names, contexts = append(names, request.DeploymentEnvironment(t)), append(contexts, request.StatusContext(t))
	}
	var anchors []pipeline.Deployment
	for _, name := range names {
		list, err := a.GitHub.AllDeployments(ctx, c.Repository, name)
		if err != nil {
			return r, fmt.Errorf("read the anchors of the ledger of %s: %w", r.Name(), err)
		}
		anchors = append(anchors, slices.DeleteFunc(list, func(d pipeline.Deployment) bool {
			return d.Payload.Ledger == nil || d.Payload.Customer != t.Customer || d.Payload.Environment != t.Environment || d.Payload.Stack != t.Stack
		})...)
	}
	r.compareHeads(anchors)
	r.compareApplied(anchors)
	return r, a.receipts(ctx, c, contexts, anchors, &r)
}

// FormerNames are the names that the customer had before, as its ledger says, in the order
// of the renames.
func (r AuditReport) FormerNames() []pipeline.CustomerName {
	var names []pipeline.CustomerName
	for _, e := range r.Entries {
		from, is := strings.CutPrefix(e.Message, "from ")
		if e.Event != Renamed || !is {
			continue
		}
		if name, err := pipeline.ParseCustomerName(from); err == nil && name != r.Customer && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func (r *AuditReport) find(format string, args ...any) {
	r.Findings = append(r.Findings, fmt.Sprintf(format, args...))
}

// sum is the hash of an entry that was read: the one after it holds it.
func (r *AuditReport) sum(sequence int) string {
	if sequence == len(r.Entries) {
		return r.Head.SHA256
	}
	return r.Entries[sequence].Previous
}

func anchorName(d pipeline.Deployment) string {
	return fmt.Sprintf("deployment %d of %s by %s", d.ID, d.SHA.Short(), pipeline.PlainLine(d.Creator))
}

// compareFolds makes the fold of each entry anew.
func (r *AuditReport) compareFolds() {
	var fold Fold
	for _, e := range r.Entries {
		if e.isUnsigned() {
			continue
		}
		if err := fold.checkNext(e); err != nil {
			r.find("entry %d: %v", e.Sequence, err)
		}
		if fold = fold.After(e); !fold.equals(e.Fold) {
			r.find("entry %d says another status of the target than the entries up to it", e.Sequence)
			fold = e.Fold
		}
	}
}

// compareHeads holds the chain against the heads that deployments remember.
func (r *AuditReport) compareHeads(anchors []pipeline.Deployment) {
	r.Deployments = len(anchors)
	var other []string
	fits := 0
	for _, d := range anchors {
		at := *d.Payload.Ledger
		switch {
		case at.Sequence < 1 || !pipeline.IsDigest(at.SHA256):
			r.find("%s carries no head of a ledger", anchorName(d))
		case at.Sequence > len(r.Entries) && r.broken:
			r.Notes = append(r.Notes, fmt.Sprintf("entry %d, which %s remembers, lies behind the place where the chain breaks", at.Sequence, anchorName(d)))
		case at.Sequence > len(r.Entries):
			r.find("the ledger is shorter than its anchor: it has %d entries, and %s remembers entry %d", len(r.Entries), anchorName(d), at.Sequence)
		case r.sum(at.Sequence) != at.SHA256:
			other = append(other, fmt.Sprintf("entry %d is not the one that %s remembers: it, or one before it, was changed", at.Sequence, anchorName(d)))
		default:
			fits++
		}
	}
	if len(other) > 0 && fits == 0 && !r.broken {
		r.find("the ledger was rewritten wholly: its chain holds, and fits none of its %d anchors", len(other))
	}
	r.Findings = append(r.Findings, other...)
}

// compareApplied holds what was applied against the deployments that reported it.
func (r *AuditReport) compareApplied(anchors []pipeline.Deployment) {
	reported := map[pipeline.RequestID]bool{}
	for _, d := range anchors {
		reported[d.Payload.Request] = true
		i := slices.IndexFunc(r.Entries, func(e Entry) bool { return e.carriedOut() && e.Request == d.Payload.Request })
		switch {
		case i < 0 && !r.broken:
			r.find("%s says that request %s was applied, and the ledger does not", anchorName(d), d.Payload.Request.Short())
		case i >= 0 && r.Entries[i].Receipt != d.Payload.Receipt:
			r.find("entry %d says that receipt %s was applied, and %s says %s", i+1, cmp.Or(pipeline.ReceiptCode(r.Entries[i].Receipt), "none"), anchorName(d),
				cmp.Or(pipeline.ReceiptCode(d.Payload.Receipt), "none"))
		}
	}
	for _, e := range r.Entries {
		if e.carriedOut() && !reported[e.Request] {
			r.Notes = append(r.Notes, fmt.Sprintf("entry %d (applied) has no anchor: no report has recorded it yet, or its deployment was deleted", e.Sequence))
		}
	}
}

// receipts holds the receipts of the ledger against those that stand on the
// customer's commits.
func (a Auditor) receipts(ctx context.Context, c pipeline.Customer, contexts []string, anchors []pipeline.Deployment, r *AuditReport) error {
	known := map[string]bool{}
	for _, e := range r.Entries {
		known[e.Receipt] = true
	}
	commits := auditedShas(r.Entries, anchors)
	if len(commits) > auditedCommits {
		r.Notes = append(r.Notes, fmt.Sprintf("the receipts on %d older commits were not compared", len(commits)-auditedCommits))
		commits = commits[:auditedCommits]
	}
	shown := map[pipeline.RequestID][]string{} // by the short id
	for _, sha := range commits {
		statuses, err := a.GitHub.StatusHistory(ctx, c.Repository, sha)
		if pipeline.Gone(err) {
			r.Notes = append(r.Notes, "commit "+sha.Short()+" is not in "+c.Repository.String()+" any more")
			continue
		}
		if err != nil {
			return fmt.Errorf("read the receipts on %s: %w", sha.Short(), err)
		}
		for _, s := range statuses {
			receipt, _ := pipeline.ReceiptOf(s.TargetURL)
			mine := slices.ContainsFunc(contexts, func(statusContext string) bool { return strings.EqualFold(statusContext, s.Context) })
			id := taggedWith(s.Description)
			if receipt == "" || !mine || slices.Contains(shown[id], receipt) {
				continue
			}
			shown[id] = append(shown[id], receipt)
			if !known[receipt] && !r.broken {
				r.find("a status on %s by %s shows receipt %s, and the ledger knows of no such plan", sha.Short(), pipeline.PlainLine(s.Creator), pipeline.ReceiptCode(receipt))
			}
		}
	}
	for _, e := range r.Entries {
		if receipts := shown[pipeline.RequestID(e.Request.Short())]; e.carriedOut() && len(receipts) > 0 && !slices.Contains(receipts, e.Receipt) {
			r.find("entry %d says that receipt %s was applied, and the statuses of request %s never showed it", e.Sequence, cmp.Or(pipeline.ReceiptCode(e.Receipt), "none"), e.Request.Short())
		}
	}
	for _, receipts := range shown {
		r.Receipts += len(receipts)
	}
	return nil
}

// auditedShas are the commits that the ledger or its anchors name, newest first.
func auditedShas(entries []Entry, anchors []pipeline.Deployment) []pipeline.SHA {
	var shas []pipeline.SHA
	add := func(sha pipeline.SHA) {
		if sha != "" && !slices.Contains(shas, sha) {
			shas = append(shas, sha)
		}
	}
	for _, d := range anchors {
		add(d.SHA)
	}
	for _, e := range slices.Backward(entries) {
		add(e.Commit)
	}
	return shas
}

// taggedWith reads the short request id that tagged has appended, or "".
func taggedWith(description string) pipeline.RequestID {
	at := strings.LastIndex(description, " (")
	if id, ok := strings.CutSuffix(description[at+1:], ")"); ok && at >= 0 {
		return pipeline.RequestID(strings.TrimPrefix(id, "("))
	}
	return ""
}
