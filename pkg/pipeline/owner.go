package pipeline

import "fmt"

// OwnerError says that what the store has of a target belongs to another repository.
type OwnerError struct {
	Customer Customer
	Target   Target
	Owner    int64 // id of that repository
	// Registered: no apply is on record, and a registration of the name says it.
	Registered bool
	// Claimed: what says it was not verified.
	Claimed bool
}

func (e *OwnerError) Error() string { return e.refusal().Error() }

// Unwrap is what a plan and an apply are refused with.
func (e *OwnerError) Unwrap() error { return e.refusal() }

// What says which repositories the two are. It is for the operator.
func (e *OwnerError) What() string {
	says := fmt.Sprintf("the last apply of %s was for repository id %d", e.Target, e.Owner)
	switch {
	case e.Registered && e.Claimed:
		says = fmt.Sprintf("no apply of %s is on record, and an unverified registration claims that customer %s is of repository id %d", e.Target, e.Target.Customer, e.Owner)
	case e.Registered:
		says = fmt.Sprintf("no apply of %s is on record, and customer %s was registered for repository id %d", e.Target, e.Target.Customer, e.Owner)
	case e.Claimed:
		says = "an unverified record claims that " + says
	}
	return fmt.Sprintf("%s, and %s has repository_id %d", says, e.Customer.File, e.Customer.RepositoryID)
}

// Operator says what the operator does about it.
func (e *OwnerError) Operator() string {
	next := fmt.Sprintf("where repository %d takes the place of repository %d (such as one that was deleted and created again): `metapipe state accept "+
		"%s --repository-id %d --reason TEXT`; where both are customers, give this one another name (docs/RECOVERY.md, \"A customer has another repository id\")",
		e.Customer.RepositoryID, e.Owner, e.Target.Flags(), e.Customer.RepositoryID)
	if e.Registered && e.Claimed {
		next = fmt.Sprintf("find out who wrote the objects below _metapipe/customers/%d/ in the store; where metapipe did not, remove them, and run this again; ", e.Owner) + next
	}
	return next
}

func (e *OwnerError) refusal() *RefusedError {
	says := "the provider's records say that this infrastructure belongs to another repository"
	if e.Claimed {
		says = "a record that was not verified claims that this infrastructure belongs to another repository"
	}
	return &RefusedError{Reason: ReasonOtherRepository, Message: says + ", so nothing was planned and nothing was changed",
		Next: "you have nothing to do: your service provider checks which repository it belongs to, and then runs this again", Detail: e.What(), Operator: e.Operator()}
}
