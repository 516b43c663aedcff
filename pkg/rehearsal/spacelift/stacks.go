package spacelift

import (
	"regexp"
	"slices"
	"strings"
)

// maxSlug is the longest id of a stack.
const maxSlug = 100

var slugForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]*$`)

func stackByID(q *query, args map[string]any) (any, *problem) {
	st := q.s.stacks[str(args, "id")]
	if st == nil {
		return nil, nil
	}
	if !q.mayWrite(st.Space) {
		return nil, unauthorized()
	}
	return q.s.stackFields(st), nil
}

func allStacks(q *query, _ map[string]any) (any, *problem) {
	list := []any{}
	for _, st := range q.visibleStacks() {
		list = append(list, q.s.stackFields(st))
	}
	return list, nil
}

func (q *query) visibleStacks() []*Stack {
	var list []*Stack
	for _, id := range q.s.stackIDs() {
		if st := q.s.stacks[id]; q.mayWrite(st.Space) {
			list = append(list, st)
		}
	}
	return list
}

func stackCreate(q *query, args map[string]any) (any, *problem) {
	st := &Stack{Created: q.s.now(), ManagesState: flag(args, "manageState")}
	if p := q.fill(st, input(args, "input")); p != nil {
		return nil, p
	}
	if st.ID = str(args, "slug"); st.ID == "" {
		st.ID = slugOf(st.Name)
		st.ID = st.ID[:min(len(st.ID), maxSlug)]
	}
	switch {
	case len(st.ID) > maxSlug || !slugForm.MatchString(st.ID):
		return nil, wrong("could not persist stack: invalid slug %q", st.ID)
	case q.s.stacks[st.ID] != nil:
		return nil, wrong("could not persist stack: stack with this slug already exists for this account")
	case str(args, "stackObjectID") != "" && !st.ManagesState:
		return nil, wrong("state can be imported only into a stack that manages its state")
	}
	q.s.stacks[st.ID] = st
	return q.s.stackFields(st), nil
}

// stackUpdate takes a whole input: what is left out of it becomes its default.
func stackUpdate(q *query, st *Stack, args map[string]any) (any, *problem) {
	next := Stack{
		ID: st.ID, ManagesState: st.ManagesState, Disabled: st.Disabled, Deleting: st.Deleting, destroy: st.destroy,
		LockedBy: st.LockedBy, LockNote: st.LockNote, LockedAt: st.LockedAt, Created: st.Created, Commit: st.Commit,
		Config: st.Config, Policies: st.Policies, Contexts: st.Contexts, Dependencies: st.Dependencies, Drift: st.Drift,
		Outputs: st.Outputs, Runs: st.Runs, appliedOutputs: st.appliedOutputs,
	}
	if p := q.fill(&next, input(args, "input")); p != nil {
		return nil, p
	}
	if st.Deleting {
		return nil, wrong("stack is being deleted")
	}
	*st = next
	return q.s.stackFields(st), nil
}

// hookNames are the phases of a run before and after which a stack can have commands.
var hookNames = []string{
	"afterApply", "afterDestroy", "afterInit", "afterPerform", "afterPlan", "afterRun",
	"beforeApply", "beforeDestroy", "beforeInit", "beforePerform", "beforePlan",
}

// fill sets what an input says of a stack.
func (q *query) fill(st *Stack, in map[string]any) *problem {
	st.Name, st.Description = str(in, "name"), str(in, "description")
	st.Repository, st.Namespace, st.RepositoryURL = str(in, "repository"), str(in, "namespace"), str(in, "repositoryURL")
	st.Branch, st.ProjectRoot = str(in, "branch"), str(in, "projectRoot")
	st.AdditionalProjectGlobs, st.SparseCheckout = texts(in, "additionalProjectGlobs"), texts(in, "gitSparseCheckoutPaths")
	st.Labels, st.RunnerImage, st.WorkerPool = texts(in, "labels"), str(in, "runnerImage"), str(in, "workerPool")
	st.Provider, st.Integration = str(in, "provider"), str(in, "vcsIntegrationId")
	if st.Provider == "" {
		st.Provider = "GITHUB"
	}
	st.Hooks = map[string][]string{}
	for _, name := range hookNames {
		st.Hooks[name] = texts(in, name)
	}
	st.Administrative, st.Autodeploy, st.Autoretry = flag(in, "administrative"), flag(in, "autodeploy"), flag(in, "autoretry")
	st.GitHubActionDeploy, st.LocalPreview = flag(in, "githubActionDeploy"), flag(in, "localPreviewEnabled")
	st.SecretMasking, st.SensitiveOutputs = flag(in, "enableWellKnownSecretMasking"), flag(in, "enableSensitiveOutputUpload")
	st.ProtectFromDeletion = flag(in, "protectFromDeletion")
	if st.Space = str(in, "space"); st.Space == "" {
		st.Space = q.s.defaultSpace()
	}
	if !q.mayWrite(st.Space) || st.Administrative && !q.isAdmin() {
		return unauthorized()
	}
	errs := append(q.s.placeErrors(st), st.sourceErrors()...)
	errs = append(errs, st.setVendor(input(in, "vendorConfig"))...)
	switch len(errs) {
	case 0:
		return nil
	case 1:
		return wrong("stack has 1 error: %s", errs[0])
	}
	return wrong("stack has %d errors: %s", len(errs), strings.Join(errs, "; "))
}

// placeErrors are what is wrong with the things that a stack names by their ids.
func (s *Server) placeErrors(st *Stack) []string {
	var errs []string
	if st.WorkerPool != "" && (s.pools[st.WorkerPool] == nil || !s.inherits(st.Space, s.pools[st.WorkerPool].space)) {
		errs = append(errs, "worker pool: not found")
	}
	if st.Integration != "" {
		one := s.integrations[st.Integration]
		switch {
		case one == nil || !s.inherits(st.Space, one.space):
			errs = append(errs, "vcs integration: not found")
		case one.provider != st.Provider:
			errs = append(errs, "vcs integration: it is of another provider")
		}
	}
	return errs
}

func (st *Stack) sourceErrors() []string {
	var errs []string
	if strings.TrimSpace(st.Name) == "" {
		errs = append(errs, "name: cannot be blank")
	}
	if strings.TrimSpace(st.Branch) == "" {
		errs = append(errs, "branch: cannot be blank")
	}
	switch {
	case strings.TrimSpace(st.Repository) == "":
		errs = append(errs, "repository: cannot be blank")
	case strings.Contains(st.Repository, "/"):
		errs = append(errs, "repository: cannot contain a slash, the owner is the namespace")
	}
	if strings.HasPrefix(st.ProjectRoot, "/") || slices.Contains(strings.Split(st.ProjectRoot, "/"), "..") {
		errs = append(errs, "project root: must be a path inside of the repository")
	}
	return errs
}

// stackDelete begins a deletion, which Step ends.
func stackDelete(q *query, st *Stack, args map[string]any) (any, *problem) {
	switch {
	case st.ProtectFromDeletion:
		return nil, wrong("could not delete stack: stack is protected from deletion")
	case st.Deleting:
		return nil, wrong("could not delete stack: stack is already being deleted")
	case st.blocker() != nil:
		return nil, wrong("could not delete stack: stack is blocked by run %s", st.blocker().ID)
	case len(q.s.dependentsOf(st.ID)) > 0:
		return nil, wrong("could not delete stack: other stacks depend on it")
	}
	st.Deleting, st.destroy = true, flag(args, "destroyResources")
	if st.destroy {
		q.s.startRun(st, Run{Type: runDestroy, TriggeredBy: q.who(), Commit: q.s.commitOf(st), Title: "Destroy resources"})
	}
	return q.s.stackFields(st), nil
}

func stackDisable(q *query, st *Stack, _ map[string]any) (any, *problem) {
	st.Disabled = true
	return q.s.stackFields(st), nil
}

func stackEnable(q *query, st *Stack, _ map[string]any) (any, *problem) {
	if st.Deleting {
		return nil, wrong("stack is being deleted")
	}
	st.Disabled = false
	return q.s.stackFields(st), nil
}

func stackLock(q *query, st *Stack, args map[string]any) (any, *problem) {
	if st.LockedBy != "" && st.LockedBy != q.who() {
		return nil, wrong("stack is already locked by %s", st.LockedBy)
	}
	st.LockedBy, st.LockNote, st.LockedAt = q.who(), str(args, "note"), q.s.now()
	return q.s.stackFields(st), nil
}

func stackUnlock(q *query, st *Stack, _ map[string]any) (any, *problem) {
	switch {
	case st.LockedBy == "":
		return nil, wrong("stack is not locked")
	case st.LockedBy != q.who() && !q.isAdmin():
		return nil, wrong("stack is locked by %s", st.LockedBy)
	}
	st.LockedBy, st.LockNote = "", ""
	return q.s.stackFields(st), nil
}

// who is how the key is named where people are named.
func (q *query) who() string { return "api::" + q.key().id }

func stackSetCurrentCommit(q *query, st *Stack, args map[string]any) (any, *problem) {
	sha := str(args, "sha")
	if !commitForm.MatchString(sha) {
		return nil, wrong("could not find commit %q", sha)
	}
	st.Commit = sha
	return q.s.stackFields(st), nil
}

func stackSyncCommit(q *query, st *Stack, _ map[string]any) (any, *problem) {
	head := q.s.heads[st.source()]
	if head == "" {
		return nil, wrong("could not find the head of branch %q", st.Branch)
	}
	st.Commit = head
	return q.s.stackFields(st), nil
}
