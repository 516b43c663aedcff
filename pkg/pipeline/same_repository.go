package pipeline

import (
	"fmt"
	"strings"
)

// OtherRepositoryError says that a name leads to a repository that is not the one
// on record, or to one that belongs to another account now.
type OtherRepositoryError struct {
	File  string     // that says what is on record, such as customers/shop.yml
	Known Repository // on record
	Got   Repository // what GitHub answers for its name
}

func (e *OtherRepositoryError) Error() string {
	if e.Cause() == CauseRepository {
		return fmt.Sprintf("%s has id %d, but %s says %d: the name now belongs to another repository", e.Got.Slug, e.Got.ID, e.File, e.Known.ID)
	}
	return fmt.Sprintf("%s says that repository %d is %s, and it belongs to %s now (%s)", e.File, e.Known.ID, e.Known.Slug, e.Got.Owner, e.Got.Slug)
}

// Cause says which of the two it is.
func (e *OtherRepositoryError) Cause() RefusalCause {
	if e.Got.ID != e.Known.ID {
		return CauseRepository
	}
	return CauseOwner
}

// Next is what the operator does.
func (e *OtherRepositoryError) Next() string {
	if e.Cause() == CauseRepository {
		return "change `repository` and `repository_id` in the file of the customer in customers/ to the repository that may deploy for it"
	}
	return "make sure that the new owner may deploy for this customer, then change `repository` in its file in customers/"
}

// CheckRepository compares the repository that GitHub answers with the one on
// record: both the id and the owner must be the same. Another repository can take a
// name, and a repository that is given away keeps its id. A new name under the old
// owner changes nothing. The error is an *OtherRepositoryError.
//
// Nothing of a customer's repository is planned and nothing is written there before
// this check.
func CheckRepository(file string, known, got Repository) error {
	if got.ID == known.ID && strings.EqualFold(got.Owner, known.Owner) {
		return nil
	}
	return &OtherRepositoryError{File: file, Known: known, Got: got}
}

// CheckRepository compares the repository that GitHub answers with the registered one.
func (c Customer) CheckRepository(got Repository) error {
	return CheckRepository(c.File, Repository{Slug: c.Repository, ID: c.RepositoryID}, got)
}
