package pipeline

import (
	"fmt"
	"slices"
)

// RenamedError says that the path of a repository belongs to another customer's name.
// Its states and records lie under that name: a plan would build all a second time.
type RenamedError struct {
	Old CustomerName
	New Customer
	// Taken: the states under the new name are those of another repository. Old is empty.
	Taken *OwnerError
	// Left: Old has no file, and its states are of another path of the same repository.
	Left *Evidence
	// Reused: New is a path of its own, and Old has left its states under the name of New,
	// or has its former path now.
	Reused bool
	// Former is the path that Target (without an environment: one of them) of New was changed
	// from last; empty: that is no part of it. Old has that path now, or is New, which has left.
	Former string
	Target Target
	// Claimed is the key of the record that says all this and was not verified; empty: it was.
	Claimed string
	// Stays is the file of Old with another path of the same repository; empty: there is none.
	Stays string
}

func (e *RenamedError) Error() string {
	return withNext(e.What(), e.Operator(), nil)
}

// Unwrap is what a plan and an apply are refused with. The customer reads Message and Next.
func (e *RenamedError) Unwrap() error {
	return &RefusedError{Reason: ReasonRenamed, Message: e.message(), Next: ProviderNext, Detail: e.What(), Operator: e.Operator()}
}

// renamedMessage is what a customer reads: a name, path or id in What may be of another one.
const renamedMessage = "nothing was planned and nothing was applied: the provider keeps your infrastructure under another name"

const claimedMessage = "nothing was planned and nothing was applied: a record that was not verified claims that the provider keeps your infrastructure under another name"

func (e *RenamedError) message() string {
	if e.Claimed != "" {
		return claimedMessage
	}
	return renamedMessage
}

// What says what is wrong with the name, without what to do. It is for the operator.
func (e *RenamedError) What() string {
	if e.Taken != nil && e.Taken.Claimed {
		return fmt.Sprintf("%s: a plan of %s could change the states of another repository", e.Taken.What(), e.New.Place())
	}
	if e.Taken != nil {
		return fmt.Sprintf("the states under the name %q are those of another repository (id %d): a plan of %s would change them", e.New.Name, e.Taken.Owner, e.New.Place())
	}
	if e.Left != nil {
		return fmt.Sprintf("%s is new, and the states of customer %q, which has no file any more, are of path %q of the same repository: where both are one customer, a "+
			"plan would build everything a second time", e.New.Place(), e.Old, e.Left.Path)
	}
	if e.Claimed != "" && e.Former == "" {
		return fmt.Sprintf("an unverified record (%s) claims that %s is customer %q, and %s names it %q: where that is true, a plan would build everything a second time",
			e.Claimed, e.New.Place(), e.Old, e.New.File, e.New.Name)
	}
	switch what := e.changedFrom(); {
	case e.Former != "" && e.Reused:
		return fmt.Sprintf("%s, which is the path of customer %q now, and %s names path %q: a plan would change what may belong to %s", what, e.Old, e.New.File, e.New.Path, e.Old)
	case e.Former != "":
		return fmt.Sprintf("%s, and %s, which is offboarded, names path %q, which was never deployed: a destroy would end what another path has built", what, e.New.File, e.New.Path)
	}
	if e.Reused {
		return fmt.Sprintf("%s is new, and the states under the name %q are those that customer %q left when it was renamed: a plan would change what belongs to %s", e.New.Place(), e.New.Name, e.Old, e.Old)
	}
	return fmt.Sprintf("%s is registered as customer %q, and %s names it %q: a plan would build everything a second time", e.New.Place(), e.Old, e.New.File, e.New.Name)
}

// changedFrom says which path a target was changed from last.
func (e *RenamedError) changedFrom() string {
	target := string(e.New.Name)
	if e.Target.Environment != "" {
		target = e.Target.String()
	}
	says := fmt.Sprintf("%s was changed last from path %q of the same repository", target, e.Former)
	if e.Claimed != "" {
		says = fmt.Sprintf("an unverified record (%s) claims that %s", e.Claimed, says)
	}
	return says
}

// Operator says what the operator does about it.
func (e *RenamedError) Operator() string {
	if e.Taken != nil {
		return e.Taken.Operator()
	}
	if e.Left != nil {
		return fmt.Sprintf("change one thing at a time: give %s the old path (`path: %s`), run `metapipe customer rename %s %s --apply`, deploy once, and change the path "+
			"then. Where both are not one customer, give %s its file (%s.yml) back, and end it first where it is of no use any more", e.New.File, e.Left.Path, e.Old, e.New.Name, e.Old, e.Old)
	}
	if e.Claimed != "" {
		return e.claimedOperator()
	}
	switch {
	case e.Former != "" && e.Reused:
		return fmt.Sprintf("where %s is a new customer, give it a name and a path that no customer of the repository has had; where it is the customer that had path %q "+
			"before, give customer %s a path that no customer of the repository has had", e.New.File, e.Former, e.Old)
	case e.Former != "":
		return fmt.Sprintf("give %s its former path (`path: %s`); where the new path is the right one, set `offboarded: false`, let one request with the new path be "+
			"accepted, and set `offboarded: true` again", e.New.File, e.Former)
	}
	if e.Reused {
		return fmt.Sprintf("where it is a new customer, give %s a name that no customer has had; where it is customer %s with another path, give the file the name %s.yml", e.New.File, e.Old, e.Old)
	}
	if e.Stays != "" {
		return fmt.Sprintf("customer %s had this path before, and %s has another one now: where %s is a new customer, give it a path that no customer of the repository "+
			"has had; where it is %s under another name, remove %s, and move everything to the new name: `metapipe customer rename %s %s`", e.Old, e.Stays, e.New.File, e.Old, e.Stays, e.Old, e.New.Name)
	}
	return fmt.Sprintf("give the file its old name (%s.yml), or move everything to the new one: `metapipe customer rename %s %s`", e.Old, e.Old, e.New.Name)
}

// claimedOperator is Operator for a record that was not verified: nothing is moved for it.
func (e *RenamedError) claimedOperator() string {
	next := fmt.Sprintf("find out who wrote %s in the store; where metapipe did not, remove it, and run this again; where metapipe did, `metapipe drift --customer %s` "+
		"verifies it and says what to do next", e.Claimed, e.New.Name)
	if e.Former == "" {
		next += fmt.Sprintf(", and where its key is lost, give the file its old name (%s.yml)", e.Old)
	}
	return next
}

// Place is what a customer is known by, whatever its name.
func (c Customer) Place() string {
	return fmt.Sprintf("path %q of repository %s (id %d)", c.Path, c.Repository, c.RepositoryID)
}

// Answer is the answer to the customer: nothing is wrong on that side.
func (e *RenamedError) Answer(file string) *RejectedError {
	return &RejectedError{Reason: ReasonRenamed, Problems: Problems{{Position: Position{File: file}, Rule: string(ReasonRenamed),
		Message: e.message(), Remedy: "nothing to do for you: the provider corrects the name and starts the deployment again"}}}
}

// Evidence is what the records of a name say about where it deploys from.
type Evidence struct {
	RepositoryID int64
	Path         string // empty: no record says it
	// FailedPaths are other paths that applies which failed since have worked from.
	FailedPaths []string
}

// Of reports whether the records fit the repository and path of c.
func (e Evidence) Of(c Customer) bool {
	return e.RepositoryID == c.RepositoryID && (e.Path == c.Path || e.Path == "" || slices.Contains(e.FailedPaths, c.Path))
}
