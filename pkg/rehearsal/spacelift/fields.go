package spacelift

// queryFields are the fields of Query in schema.graphql.
var queryFields = object{
	"context":      authenticated(contextByID),
	"contexts":     authenticated(contexts),
	"policies":     authenticated(policies),
	"policy":       authenticated(policyByID),
	"run":          authenticated(runByID),
	"searchStacks": authenticated(searchStacks),
	"space":        authenticated(spaceByID),
	"spaces":       authenticated(spaces),
	"stack":        authenticated(stackByID),
	"stacks":       authenticated(allStacks),
	"viewer":       authenticated(viewer),
	"workerPool":   authenticated(workerPoolByID),
	"workerPools":  authenticated(workerPools),
}

// mutationFields are the fields of Mutation in schema.graphql.
var mutationFields = object{
	"apiKeyUser": resolver(apiKeyUser),

	"stackCreate":           authenticated(stackCreate),
	"stackDelete":           onStack("id", stackDelete),
	"stackDisable":          onStack("id", stackDisable),
	"stackEnable":           onStack("id", stackEnable),
	"stackLock":             onStack("id", stackLock),
	"stackSetCurrentCommit": onStack("id", stackSetCurrentCommit),
	"stackSyncCommit":       onStack("id", stackSyncCommit),
	"stackUnlock":           onStack("id", stackUnlock),
	"stackUpdate":           onStack("id", stackUpdate),
	"stackConfigAdd":        onStack("stack", stackConfigAdd),
	"stackConfigDelete":     onStack("stack", stackConfigDelete),

	"contextAttach":   onStack("stack", contextAttach),
	"contextCreateV2": authenticated(contextCreate),
	"contextDelete":   authenticated(contextDelete),
	"contextDetach":   authenticated(contextDetach),
	"contextUpdateV2": authenticated(contextUpdate),
	"policyAttach":    onStack("stack", policyAttach),
	"policyCreatev2":  authenticated(policyCreate),
	"policyDelete":    authenticated(policyDelete),
	"policyDetach":    authenticated(policyDetach),
	"policyUpdatev2":  authenticated(policyUpdate),

	"spaceCreate": authenticated(spaceCreate),
	"spaceDelete": authenticated(spaceDelete),
	"spaceUpdate": authenticated(spaceUpdate),

	"stackDependencyCreate":            authenticated(dependencyCreate),
	"stackDependencyDelete":            authenticated(dependencyDelete),
	"stackDependenciesAddReference":    authenticated(referenceAdd),
	"stackDependenciesDeleteReference": authenticated(referenceDelete),
	"stackDependenciesUpdateReference": authenticated(referenceUpdate),

	"stackIntegrationDriftDetectionCreate": onStack("stack", driftCreate),
	"stackIntegrationDriftDetectionDelete": onStack("stack", driftDelete),
	"stackIntegrationDriftDetectionUpdate": onStack("stack", driftUpdate),

	"runCancel":     onRun(runCancel),
	"runConfirm":    onRun(runConfirm),
	"runDiscard":    onRun(runDiscard),
	"runDiscardAll": onStack("stack", runDiscardAll),
	"runRetry":      onRun(runRetry),
	"runReview":     onRun(runReview),
	"runStop":       onRun(runStop),
	"runTrigger":    onStack("stack", runTrigger),
}

// stackMutation changes one stack.
type stackMutation func(q *query, st *Stack, args map[string]any) (any, *problem)

// onStack finds the stack that the argument names and that the key may write.
func onStack(argument string, change stackMutation) resolver {
	return authenticated(func(q *query, args map[string]any) (any, *problem) {
		st, p := q.writable(str(args, argument))
		if p != nil {
			return nil, p
		}
		return change(q, st, args)
	})
}

// writable finds a stack that the key may write.
func (q *query) writable(id string) (*Stack, *problem) {
	st := q.s.stacks[id]
	if st == nil {
		return nil, wrong("stack not found")
	}
	if !q.mayWrite(st.Space) {
		return nil, unauthorized()
	}
	return st, nil
}

// runMutation changes one run.
type runMutation func(q *query, st *Stack, r *Run, args map[string]any) (any, *problem)

// onRun finds the run that the arguments name, of a stack that the key may write.
func onRun(change runMutation) resolver {
	return onStack("stack", func(q *query, st *Stack, args map[string]any) (any, *problem) {
		r := st.run(str(args, "run"))
		if r == nil {
			return nil, wrong("run not found")
		}
		return change(q, st, r, args)
	})
}
