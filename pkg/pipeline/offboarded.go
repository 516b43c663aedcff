package pipeline

import (
	"errors"
	"fmt"
)

// CheckOffboarded refuses every request but a destroy for a customer that has left. The
// error is a *RejectedError.
func (c Customer) CheckOffboarded(mode Mode) error {
	if !c.Offboarded || mode == ModeDestroy {
		return nil
	}
	return &RejectedError{Reason: ReasonUnknownCustomer, Message: fmt.Sprintf("customer %s is offboarded (%s): its environments can only be destroyed", c.Name, c.File),
		Next: "remove `offboarded` from the file when the customer is back; see docs/ENDING.md"}
}

// OffboardedAnswer is the answer to an offboarded customer that asks for a deployment.
func OffboardedAnswer(file string) *RejectedError {
	return &RejectedError{Reason: ReasonOffboarded, Problems: Problems{{Position: Position{File: file}, Rule: string(ReasonOffboarded),
		Message: "the service provider has ended the deployments of this repository, so nothing was planned and nothing was applied",
		Remedy:  "ask your service provider if you want to go on, or remove the trigger workflow"}}}
}

// RepositoryUnseen reports whether GitHub does not show a repository: it was deleted, or
// the token or the App has no access to it. Only together with an operator's word that
// the customer has left does it mean that there is no repository to report to.
func RepositoryUnseen(err error) bool {
	var app interface{ IsNotInstalled() bool }
	return NotVisible(err) || Gone(err) || errors.As(err, &app) && app.IsNotInstalled()
}
