package pipeline

import "fmt"

// OwnerError says that what the store has of a target belongs to another repository.
type OwnerError struct {
	Customer    Customer
	Environment Environment
	Owner       int64 // id of that repository
}

func (e *OwnerError) Error() string { return e.refusal().Error() }

// Unwrap is what a plan and an apply are refused with.
func (e *OwnerError) Unwrap() error { return e.refusal() }

// What says which repositories the two are. It is for the operator.
func (e *OwnerError) What() string {
	return fmt.Sprintf("the last apply of %s was for repository id %d, and %s has repository_id %d", TargetName(e.Customer.Name, e.Environment), e.Owner, e.Customer.File, e.Customer.RepositoryID)
}

// Operator says what the operator does about it.
func (e *OwnerError) Operator() string {
	return fmt.Sprintf("where repository %d takes the place of repository %d (such as one that was deleted and created again): `metapipe state accept --customer %s --environment %s --repository-id %d --reason TEXT`; where both are customers, give this one another name (docs/RECOVERY.md, \"A customer has another repository id\")",
		e.Customer.RepositoryID, e.Owner, e.Customer.Name, e.Environment, e.Customer.RepositoryID)
}

func (e *OwnerError) refusal() *RefusedError {
	return &RefusedError{Reason: ReasonOtherRepository, Message: "the provider's records say that this infrastructure belongs to another repository, so nothing was planned and nothing was changed",
		Next: "you have nothing to do: your service provider checks which repository it belongs to, and then runs this again", Detail: e.What(), Operator: e.Operator()}
}
