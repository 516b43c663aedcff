package spacelift

import (
	"slices"
)

// outputless are the tools that have no outputs.
var outputless = []string{"ansible", "kubernetes"}

// dependentsOf are the stacks that depend on another one, by their ids.
func (s *Server) dependentsOf(id string) []*Stack {
	var list []*Stack
	for _, one := range s.stackIDs() {
		st := s.stacks[one]
		if slices.ContainsFunc(st.Dependencies, func(d Dependency) bool { return d.DependsOn == id }) {
			list = append(list, st)
		}
	}
	return list
}

// needs reports whether a stack depends on another one, also through others.
func (s *Server) needs(st *Stack, id string) bool {
	return slices.ContainsFunc(st.Dependencies, func(d Dependency) bool {
		return d.DependsOn == id || s.stacks[d.DependsOn] != nil && s.needs(s.stacks[d.DependsOn], id)
	})
}

func dependencyCreate(q *query, args map[string]any) (any, *problem) {
	in := input(args, "input")
	st, p := q.writable(str(in, "stackId"))
	if p != nil {
		return nil, p
	}
	on := q.s.stacks[str(in, "dependsOnStackId")]
	switch {
	case on == nil:
		return nil, wrong("stack not found")
	case !q.mayWrite(on.Space):
		return nil, unauthorized()
	case on == st || q.s.needs(on, st.ID):
		return nil, wrong("could not create stack dependency: dependencies must not form a cycle")
	case slices.ContainsFunc(st.Dependencies, func(d Dependency) bool { return d.DependsOn == on.ID }):
		return nil, wrong("could not create stack dependency: stack dependency already exists")
	}
	d := Dependency{ID: q.s.id("dependency"), DependsOn: on.ID}
	st.Dependencies = append(st.Dependencies, d)
	return q.s.dependencyFields(st, d), nil
}

func dependencyDelete(q *query, args map[string]any) (any, *problem) {
	st, i, p := q.dependency(str(args, "id"))
	if p != nil {
		return nil, p
	}
	d := st.Dependencies[i]
	fields := q.s.dependencyFields(st, d)
	st.Dependencies = slices.Delete(st.Dependencies, i, i+1)
	return fields, nil
}

// dependency finds a dependency by its id, of a stack that the key may write.
func (q *query) dependency(id string) (*Stack, int, *problem) {
	return q.findDependency("stack dependency", func(d Dependency) bool { return d.ID == id })
}

func (q *query) findDependency(what string, is func(Dependency) bool) (*Stack, int, *problem) {
	for _, one := range q.s.stackIDs() {
		st := q.s.stacks[one]
		if i := slices.IndexFunc(st.Dependencies, is); i >= 0 {
			if !q.mayWrite(st.Space) {
				return nil, 0, unauthorized()
			}
			return st, i, nil
		}
	}
	return nil, 0, wrong("%s not found", what)
}

// reference finds a reference by its id.
func (q *query) reference(id string) (*Dependency, int, *problem) {
	has := func(r Reference) bool { return r.ID == id }
	st, i, p := q.findDependency("stack dependency reference", func(d Dependency) bool { return slices.ContainsFunc(d.References, has) })
	if p != nil {
		return nil, 0, p
	}
	d := &st.Dependencies[i]
	return d, slices.IndexFunc(d.References, has), nil
}

func referenceAdd(q *query, args map[string]any) (any, *problem) {
	st, i, p := q.dependency(str(args, "stackDependencyID"))
	if p != nil {
		return nil, p
	}
	d := &st.Dependencies[i]
	in := input(args, "reference")
	r := Reference{ID: q.s.id("reference"), Output: str(in, "outputName"), Input: str(in, "inputName"), Type: str(in, "type"), TriggerAlways: flag(in, "triggerAlways")}
	if p := q.s.checkReference(*d, r); p != nil {
		return nil, p
	}
	d.References = append(d.References, r)
	return r.fields(), nil
}

func referenceUpdate(q *query, args map[string]any) (any, *problem) {
	in := input(args, "reference")
	d, i, p := q.reference(str(in, "id"))
	if p != nil {
		return nil, p
	}
	r := Reference{ID: str(in, "id"), Output: str(in, "outputName"), Input: str(in, "inputName"), Type: str(in, "type"), TriggerAlways: flag(in, "triggerAlways")}
	if p := q.s.checkReference(*d, r); p != nil {
		return nil, p
	}
	d.References[i] = r
	return r.fields(), nil
}

func referenceDelete(q *query, args map[string]any) (any, *problem) {
	d, i, p := q.reference(str(args, "id"))
	if p != nil {
		return nil, p
	}
	r := d.References[i]
	d.References = slices.Delete(d.References, i, i+1)
	return r.fields(), nil
}

func (s *Server) checkReference(d Dependency, r Reference) *problem {
	on := s.stacks[d.DependsOn]
	switch {
	case on != nil && slices.Contains(outputless, on.Vendor.Kind):
		return wrong("could not create stack dependency reference: stack %s has no outputs", on.ID)
	case r.Output == "" || r.Input == "":
		return wrong("could not create stack dependency reference: the names of the output and the input cannot be blank")
	case slices.ContainsFunc(d.References, func(one Reference) bool { return one.ID != r.ID && one.Input == r.Input }):
		return wrong("could not create stack dependency reference: a reference with this input already exists")
	}
	return nil
}

// dependencyFields are the fields of a dependency. Its stacks are found when they are asked
// for.
func (s *Server) dependencyFields(st *Stack, d Dependency) object {
	references := []any{}
	for _, r := range d.References {
		references = append(references, r.fields())
	}
	stack := func(id string) resolver {
		return lazy(func() any {
			if one := s.stacks[id]; one != nil {
				return s.stackFields(one)
			}
			return nil
		})
	}
	return object{
		"id": d.ID, "stackId": st.ID, "dependsOnStackId": d.DependsOn, "stack": stack(st.ID), "dependsOnStack": stack(d.DependsOn),
		"references": references, "referenceCount": len(references),
		"reference": resolver(func(_ *query, args map[string]any) (any, *problem) {
			for _, r := range d.References {
				if r.ID == str(args, "id") {
					return r.fields(), nil
				}
			}
			return nil, nil
		}),
	}
}

func (r Reference) fields() object {
	return object{"id": r.ID, "outputName": r.Output, "inputName": r.Input, "type": r.Type, "triggerAlways": r.TriggerAlways}
}

func (s *Server) dependencyList(st *Stack) []any {
	out := []any{}
	for _, d := range st.Dependencies {
		out = append(out, s.dependencyFields(st, d))
	}
	return out
}

func (s *Server) dependentList(id string) []any {
	out := []any{}
	for _, st := range s.dependentsOf(id) {
		for _, d := range st.Dependencies {
			if d.DependsOn == id {
				out = append(out, s.dependencyFields(st, d))
			}
		}
	}
	return out
}

// dependencyOf finds a dependency of a stack by its id or by the other stack.
func (s *Server) dependencyOf(st *Stack, args map[string]any) any {
	for _, d := range st.Dependencies {
		if d.ID == str(args, "id") || d.DependsOn == str(args, "dependsOnStackId") {
			return s.dependencyFields(st, d)
		}
	}
	return nil
}
