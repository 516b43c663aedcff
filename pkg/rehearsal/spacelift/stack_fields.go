package spacelift

import "time"

// stackFields are the fields of a stack.
func (s *Server) stackFields(st *Stack) object {
	v := object{
		"id": st.ID, "name": st.Name, "space": st.Space, "spaceDetails": s.spaces[st.Space].fields(), "description": orNull(st.Description),
		"repository": st.Repository, "namespace": st.Namespace, "repositoryURL": orNull(st.RepositoryURL), "provider": st.Provider,
		"vcsIntegration": nil, "branch": st.Branch, "projectRoot": orNull(st.ProjectRoot),
		"additionalProjectGlobs": anyList(st.AdditionalProjectGlobs), "gitSparseCheckoutPaths": anyList(st.SparseCheckout),
		"labels": anyList(st.Labels), "runnerImage": orNull(st.RunnerImage), "workerPool": nil,
		"administrative": st.Administrative, "autodeploy": st.Autodeploy, "autoretry": st.Autoretry,
		"githubActionDeploy": st.GitHubActionDeploy, "localPreviewEnabled": st.LocalPreview,
		"enableWellKnownSecretMasking": st.SecretMasking, "enableSensitiveOutputUpload": st.SensitiveOutputs,
		"protectFromDeletion": st.ProtectFromDeletion, "managesStateFile": st.ManagesState,
		"isDisabled": st.Disabled, "deleting": st.Deleting, "deleted": false, "createdAt": st.Created.Unix(),
		"lockedBy": orNull(st.LockedBy), "lockNote": orNull(st.LockNote), "lockedAt": nil,
		"vendorConfig": st.Vendor.fields(), "terraformVersion": st.Vendor.Settings["version"],
		"state": st.state(), "trackedCommit": commit(st.Commit), "trackedBranchHead": commit(s.heads[st.source()]),
		"blocked": st.blocker() != nil, "blocker": nil,
		"config": configFields(st.Config), "configElement": resolver(st.configElement),
		"attachedPolicies": s.attachedPolicies(st), "attachedContexts": s.attachedContexts(st),
		"integrations": object{"driftDetection": st.Drift.fields()},
		"dependsOn":    lazy(func() any { return s.dependencyList(st) }), "isDependedOnBy": lazy(func() any { return s.dependentList(st.ID) }),
		"dependency": resolver(func(_ *query, args map[string]any) (any, *problem) { return s.dependencyOf(st, args), nil }),
		"outputs":    outputFields(st.Outputs),
		"run":        resolver(st.runField), "runResourceState": resolver(st.runResourceState),
		"runs":         resolver(func(_ *query, args map[string]any) (any, *problem) { return st.runList(args, false) }),
		"proposedRuns": resolver(func(_ *query, args map[string]any) (any, *problem) { return st.runList(args, true) }),
	}
	if st.LockedBy != "" {
		v["lockedAt"] = st.LockedAt.Unix()
	}
	if pool := s.pools[st.WorkerPool]; pool != nil {
		v["workerPool"] = pool.fields()
	}
	if one := s.integrationOf(st); one != nil {
		v["vcsIntegration"] = object{"id": one.id, "isDefault": one.standard, "name": one.name, "provider": one.provider}
	}
	if r := st.blocker(); r != nil {
		v["blocker"] = st.runFields(r)
	}
	for _, name := range hookNames {
		v[name] = anyList(st.Hooks[name])
	}
	return v
}

// lazy is a field whose value is made when it is asked for: stacks refer to each other.
func lazy(value func() any) resolver {
	return func(*query, map[string]any) (any, *problem) { return value(), nil }
}

func commit(hash string) any {
	if hash == "" {
		return nil
	}
	return object{"hash": hash}
}

func outputFields(list []Output) []any {
	out := []any{}
	for _, o := range list {
		value := any(o.Value)
		if o.Sensitive {
			value = nil // no one reads it but the stacks that refer to it
		}
		out = append(out, object{"id": o.ID, "value": value, "sensitive": o.Sensitive, "description": orNull(o.Description)})
	}
	return out
}

func unix(t time.Time) int64 { return t.Unix() }
