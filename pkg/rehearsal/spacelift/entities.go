package spacelift

import (
	"maps"
	"slices"
)

func policyByID(q *query, args map[string]any) (any, *problem) {
	pol := q.s.policies[str(args, "id")]
	if pol == nil {
		return nil, nil
	}
	if !q.sees(pol.space) {
		return nil, unauthorized()
	}
	return q.policyFields(pol), nil
}

func policies(q *query, _ map[string]any) (any, *problem) {
	list := []any{}
	for _, id := range slices.Sorted(maps.Keys(q.s.policies)) {
		if pol := q.s.policies[id]; q.sees(pol.space) {
			list = append(list, q.policyFields(pol))
		}
	}
	return list, nil
}

func (q *query) policyFields(pol *policy) object {
	return object{
		"id": pol.id, "name": pol.name, "type": pol.kind, "space": pol.space, "labels": anyList(pol.labels), "body": pol.body,
		"description": orNull(pol.description), "engineType": pol.engine, "createdAt": unix(pol.created), "updatedAt": unix(pol.updated),
		"attachedStack":  attachedStack(pol.id, q.s.policiesOf),
		"attachedStacks": lazy(func() any { return q.attachmentsOf(pol.id, q.s.policiesOf) }),
	}
}

func contextByID(q *query, args map[string]any) (any, *problem) {
	c := q.s.contexts[str(args, "id")]
	if c == nil {
		return nil, nil
	}
	if !q.sees(c.space) {
		return nil, unauthorized()
	}
	return q.contextFields(c), nil
}

func contexts(q *query, _ map[string]any) (any, *problem) {
	list := []any{}
	for _, id := range slices.Sorted(maps.Keys(q.s.contexts)) {
		if c := q.s.contexts[id]; q.sees(c.space) {
			list = append(list, q.contextFields(c))
		}
	}
	return list, nil
}

func (q *query) contextFields(c *sharedContext) object {
	return object{
		"id": c.id, "name": c.name, "space": c.space, "labels": anyList(c.labels), "description": orNull(c.description),
		"config": configFields(c.config), "createdAt": unix(c.created), "updatedAt": unix(c.updated),
		"attachedStack":  attachedStack(c.id, q.s.contextsOf),
		"attachedStacks": lazy(func() any { return q.attachmentsOf(c.id, q.s.contextsOf) }),
	}
}

// place is the space of an input, or the default one; false when the key may not write there.
func (q *query) place(in map[string]any) (string, bool) {
	id := str(in, "space")
	if id == "" {
		id = q.s.defaultSpace()
	}
	return id, q.mayWrite(id)
}

func policyCreate(q *query, args map[string]any) (any, *problem) {
	in := input(args, "input")
	where, allowed := q.place(in)
	id := slugOf(str(in, "name"))
	switch {
	case !allowed:
		return nil, unauthorized()
	case id == "":
		return nil, wrong("policy has 1 error: name: cannot be blank")
	case q.s.policies[id] != nil:
		return nil, wrong("could not persist policy: policy with this slug already exists for this account")
	}
	pol := &policy{entity: entity{id: id, space: where}, kind: str(in, "type"), engine: "REGO_V0", created: q.s.now()}
	q.s.policies[id] = pol
	pol.fill(q, in)
	return q.policyFields(pol), nil
}

func (pol *policy) fill(q *query, in map[string]any) {
	pol.name, pol.body, pol.description = str(in, "name"), str(in, "body"), str(in, "description")
	pol.labels, pol.updated = texts(in, "labels"), q.s.now()
	if engine := str(in, "engineType"); engine != "" {
		pol.engine = engine
	}
}

func policyUpdate(q *query, args map[string]any) (any, *problem) {
	pol, in := q.s.policies[str(args, "id")], input(args, "input")
	if pol == nil {
		return nil, wrong("policy not found")
	}
	where, allowed := q.place(in)
	if !allowed || !q.mayWrite(pol.space) {
		return nil, unauthorized()
	}
	pol.space = where
	pol.fill(q, in)
	return q.policyFields(pol), nil
}

func policyDelete(q *query, args map[string]any) (any, *problem) {
	pol := q.s.policies[str(args, "id")]
	switch {
	case pol == nil:
		return nil, wrong("policy not found")
	case !q.mayWrite(pol.space):
		return nil, unauthorized()
	}
	fields := q.policyFields(pol)
	fields["attachedStacks"] = []any{}
	delete(q.s.policies, pol.id)
	for _, st := range q.s.stacks {
		st.Policies = slices.DeleteFunc(st.Policies, func(a Attachment) bool { return a.Of == pol.id })
	}
	return fields, nil
}

func contextCreate(q *query, args map[string]any) (any, *problem) {
	in := input(args, "input")
	where, allowed := q.place(in)
	id := slugOf(str(in, "name"))
	switch {
	case !allowed:
		return nil, unauthorized()
	case id == "":
		return nil, wrong("context has 1 error: name: cannot be blank")
	case q.s.contexts[id] != nil:
		return nil, wrong("could not persist context: context with this slug already exists for this account")
	}
	c := &sharedContext{entity: entity{id: id, space: where}, created: q.s.now()}
	if p := c.fill(q, in, true); p != nil {
		return nil, p
	}
	q.s.contexts[id] = c
	return q.contextFields(c), nil
}

// fill sets what an input says of a context; its configuration is replaced or added to.
func (c *sharedContext) fill(q *query, in map[string]any, replace bool) *problem {
	var config Stack
	if !replace {
		config.Config = slices.Clone(c.config)
	}
	for _, member := range objects(in, "configAttachments") {
		e, p := q.s.element(member)
		if p != nil {
			return p
		}
		config.setConfig(e)
	}
	c.name, c.description, c.labels, c.config, c.updated = str(in, "name"), str(in, "description"), texts(in, "labels"), config.Config, q.s.now()
	return nil
}

func contextUpdate(q *query, args map[string]any) (any, *problem) {
	c, in := q.s.contexts[str(args, "id")], input(args, "input")
	if c == nil {
		return nil, wrong("context not found")
	}
	where, allowed := q.place(in)
	if !allowed || !q.mayWrite(c.space) {
		return nil, unauthorized()
	}
	if p := c.fill(q, in, flag(args, "replaceConfigElements")); p != nil {
		return nil, p
	}
	c.space = where
	return q.contextFields(c), nil
}

func contextDelete(q *query, args map[string]any) (any, *problem) {
	c := q.s.contexts[str(args, "id")]
	switch {
	case c == nil:
		return nil, wrong("context not found")
	case !q.mayWrite(c.space):
		return nil, unauthorized()
	}
	fields := q.contextFields(c)
	fields["attachedStacks"] = []any{}
	delete(q.s.contexts, c.id)
	for _, st := range q.s.stacks {
		st.Contexts = slices.DeleteFunc(st.Contexts, func(a Attachment) bool { return a.Of == c.id })
	}
	return fields, nil
}

func spaceCreate(q *query, args map[string]any) (any, *problem) {
	in := input(args, "input")
	sp := &space{id: slugOf(str(in, "name")) + "-" + q.s.id("space")}
	if p := q.fillSpace(sp, in); p != nil {
		return nil, p
	}
	q.s.spaces[sp.id] = sp
	return sp.fields(), nil
}

// fillSpace sets what an input says of a space; only administrators may.
func (q *query) fillSpace(sp *space, in map[string]any) *problem {
	parent := str(in, "parentSpace")
	switch {
	case !q.isAdmin() || !q.mayWrite(parent):
		return unauthorized()
	case slugOf(str(in, "name")) == "":
		return wrong("space has 1 error: name: cannot be blank")
	case q.s.within(parent, sp.id):
		return wrong("space has 1 error: parent space: spaces must not form a cycle")
	}
	sp.name, sp.description, sp.parent = str(in, "name"), str(in, "description"), parent
	sp.inherit, sp.labels = flag(in, "inheritEntities"), texts(in, "labels")
	return nil
}

func spaceUpdate(q *query, args map[string]any) (any, *problem) {
	sp := q.s.spaces[str(args, "space")]
	if sp == nil || !q.mayWrite(sp.id) || sp.id == rootSpace {
		return nil, unauthorized()
	}
	if p := q.fillSpace(sp, input(args, "input")); p != nil {
		return nil, p
	}
	return sp.fields(), nil
}

func spaceDelete(q *query, args map[string]any) (any, *problem) {
	sp := q.s.spaces[str(args, "space")]
	if sp == nil || sp.id == rootSpace || !q.isAdmin() || !q.mayWrite(sp.id) {
		return nil, unauthorized()
	}
	if q.s.occupied(sp.id) {
		return nil, wrong("could not delete space: space is not empty")
	}
	delete(q.s.spaces, sp.id)
	return sp.fields(), nil
}

// occupied reports whether something lies in a space.
func (s *Server) occupied(id string) bool {
	used := false
	for _, one := range s.spaces {
		used = used || one.parent == id
	}
	for _, one := range s.stacks {
		used = used || one.Space == id
	}
	for _, one := range s.policies {
		used = used || one.space == id
	}
	for _, one := range s.contexts {
		used = used || one.space == id
	}
	for _, list := range []map[string]*entity{s.pools, s.integrations} {
		for _, one := range list {
			used = used || one.space == id
		}
	}
	return used
}
