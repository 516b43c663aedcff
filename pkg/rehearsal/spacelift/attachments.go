package spacelift

import (
	"maps"
	"slices"
	"strings"
)

const autoattach = "autoattach:"

// attaches reports whether a label of a policy or context attaches it to a stack.
func (s *Server) attaches(labels []string, space string, st *Stack) bool {
	return s.inherits(st.Space, space) && slices.ContainsFunc(labels, func(label string) bool {
		target, isAuto := strings.CutPrefix(label, autoattach)
		return isAuto && (target == "*" || slices.Contains(st.Labels, target))
	})
}

// policiesOf are the policies of a stack: those attached by hand, then those attached by
// labels.
func (s *Server) policiesOf(st *Stack) []Attachment {
	list := slices.Clone(st.Policies)
	for _, id := range slices.Sorted(maps.Keys(s.policies)) {
		if pol := s.policies[id]; !attached(list, id) && s.attaches(pol.labels, pol.space, st) {
			list = append(list, Attachment{ID: automatic(id, st), Of: id, Auto: true})
		}
	}
	return list
}

// contextsOf are the contexts of a stack, as in policiesOf.
func (s *Server) contextsOf(st *Stack) []Attachment {
	list := slices.Clone(st.Contexts)
	for _, id := range slices.Sorted(maps.Keys(s.contexts)) {
		if c := s.contexts[id]; !attached(list, id) && s.attaches(c.labels, c.space, st) {
			list = append(list, Attachment{ID: automatic(id, st), Of: id, Auto: true})
		}
	}
	return list
}

func attached(list []Attachment, id string) bool {
	return slices.ContainsFunc(list, func(a Attachment) bool { return a.Of == id })
}

// automatic is the id of an attachment by a label.
func automatic(id string, st *Stack) string { return "auto-" + id + "-" + st.ID }

func policyAttach(q *query, st *Stack, args map[string]any) (any, *problem) {
	pol := q.s.policies[str(args, "id")]
	switch {
	case pol == nil:
		return nil, wrong("policy not found")
	case !q.sees(pol.space):
		return nil, unauthorized()
	case pol.kind == "LOGIN" || pol.kind == "INTENT":
		return nil, wrong("cannot attach policy: a policy of type %s is not for stacks", pol.kind)
	case !q.s.inherits(st.Space, pol.space):
		return nil, wrong("cannot attach policy, stack %s space has no access to policy space", st.ID)
	case attached(q.s.policiesOf(st), pol.id):
		return nil, wrong("could not attach policy: policy is already attached to this stack")
	}
	a := Attachment{ID: q.s.id("policy attachment"), Of: pol.id}
	st.Policies = append(st.Policies, a)
	return a.fields(st), nil
}

func contextAttach(q *query, st *Stack, args map[string]any) (any, *problem) {
	c := q.s.contexts[str(args, "id")]
	priority, _ := whole(args["priority"])
	switch {
	case c == nil:
		return nil, wrong("context not found")
	case !q.sees(c.space):
		return nil, unauthorized()
	case !q.s.inherits(st.Space, c.space):
		return nil, wrong("cannot attach context, stack %s space has no access to context space", st.ID)
	case attached(q.s.contextsOf(st), c.id):
		return nil, wrong("could not attach context: context is already attached to this stack")
	}
	a := Attachment{ID: q.s.id("context attachment"), Of: c.id, Priority: priority}
	st.Contexts = append(st.Contexts, a)
	return a.fields(st), nil
}

func policyDetach(q *query, args map[string]any) (any, *problem) {
	return q.detach(str(args, "id"), "policy attachment", func(st *Stack) *[]Attachment { return &st.Policies })
}

func contextDetach(q *query, args map[string]any) (any, *problem) {
	return q.detach(str(args, "id"), "context attachment", func(st *Stack) *[]Attachment { return &st.Contexts })
}

// detach takes an attachment by hand away. One by a label ends with the label.
func (q *query) detach(id, what string, listOf func(*Stack) *[]Attachment) (any, *problem) {
	for _, stackID := range q.s.stackIDs() {
		st := q.s.stacks[stackID]
		list := listOf(st)
		i := slices.IndexFunc(*list, func(a Attachment) bool { return a.ID == id })
		if i < 0 {
			continue
		}
		if !q.mayWrite(st.Space) {
			return nil, unauthorized()
		}
		a := (*list)[i]
		*list = slices.Delete(*list, i, i+1)
		return a.fields(st), nil
	}
	return nil, wrong("%s not found", what)
}

func (a Attachment) fields(st *Stack) object {
	return object{
		"id": a.ID, "stackId": st.ID, "stackName": st.Name, "isModule": false, "isAutoattached": a.Auto,
		"priority": a.Priority, "customInput": nil,
	}
}

// attachedPolicies are the policies of a stack as it shows them.
func (s *Server) attachedPolicies(st *Stack) []any {
	out := []any{}
	for _, a := range s.policiesOf(st) {
		pol := s.policies[a.Of]
		out = append(out, object{
			"id": a.ID, "policyId": pol.id, "policyName": pol.name, "policyType": pol.kind, "policyLabels": anyList(pol.labels), "isAutoattached": a.Auto,
		})
	}
	return out
}

func (s *Server) attachedContexts(st *Stack) []any {
	out := []any{}
	for _, a := range s.contextsOf(st) {
		c := s.contexts[a.Of]
		out = append(out, object{
			"id": a.ID, "contextId": c.id, "contextName": c.name, "contextDescription": orNull(c.description),
			"contextLabels": anyList(c.labels), "priority": a.Priority, "isAutoattached": a.Auto,
		})
	}
	return out
}

// attachmentsOf are the attachments of a policy or context that the key sees.
func (q *query) attachmentsOf(id string, of func(*Stack) []Attachment) []any {
	out := []any{}
	for _, st := range q.visibleStacks() {
		for _, a := range of(st) {
			if a.Of == id {
				out = append(out, a.fields(st))
			}
		}
	}
	return out
}

// attachedStack is the attachment to one stack.
func attachedStack(id string, of func(*Stack) []Attachment) resolver {
	return func(q *query, args map[string]any) (any, *problem) {
		for _, one := range q.attachmentsOf(id, of) {
			if fields, isObject := one.(object); isObject && fields["stackId"] == str(args, "id") {
				return fields, nil
			}
		}
		return nil, nil
	}
}

// whole is a number of the query, or one of its variables.
func whole(v any) (int, bool) {
	switch n := v.(type) {
	case int64:
		return int(n), true
	case float64:
		return int(n), true
	case int:
		return n, true
	}
	return 0, false
}
