package spacelift

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
)

const (
	variable = "ENVIRONMENT_VARIABLE"
	mount    = "FILE_MOUNT"
)

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// element reads a config element of an input.
func (s *Server) element(in map[string]any) (ConfigElement, *problem) {
	e := ConfigElement{
		ID: str(in, "id"), Type: str(in, "type"), Value: str(in, "value"), Description: str(in, "description"),
		FileMode: str(in, "fileMode"), WriteOnly: flag(in, "writeOnly"), Created: s.now(),
	}
	sum := sha256.Sum256([]byte(e.Value))
	e.Checksum = hex.EncodeToString(sum[:])
	switch e.Type {
	case variable:
		if !variableName.MatchString(e.ID) {
			return e, wrong("config element has 1 error: id: %q is no name of an environment variable", e.ID)
		}
	case mount:
		if _, err := base64.StdEncoding.DecodeString(e.Value); err != nil {
			return e, wrong("config element has 1 error: value: a mounted file must be base64-encoded")
		}
		if e.ID == "" || strings.HasPrefix(e.ID, "/") || slices.Contains(strings.Split(e.ID, "/"), "..") {
			return e, wrong("config element has 1 error: id: %q is no path below /mnt/workspace", e.ID)
		}
	}
	return e, nil
}

func stackConfigAdd(q *query, st *Stack, args map[string]any) (any, *problem) {
	e, p := q.s.element(input(args, "config"))
	if p != nil {
		return nil, p
	}
	i := slices.IndexFunc(st.Config, func(one ConfigElement) bool { return one.ID == e.ID })
	if i >= 0 && q.s.RefuseConfigOverwrite {
		return nil, wrong("could not persist config element: config element with this id already exists for this stack")
	}
	st.setConfig(e)
	return e.fields(), nil
}

// setConfig adds an element, or overwrites the one of its id.
func (st *Stack) setConfig(e ConfigElement) {
	if i := slices.IndexFunc(st.Config, func(one ConfigElement) bool { return one.ID == e.ID }); i >= 0 {
		st.Config[i] = e
		return
	}
	st.Config = append(st.Config, e)
	slices.SortFunc(st.Config, func(a, b ConfigElement) int { return strings.Compare(a.ID, b.ID) })
}

func stackConfigDelete(_ *query, st *Stack, args map[string]any) (any, *problem) {
	i := slices.IndexFunc(st.Config, func(one ConfigElement) bool { return one.ID == str(args, "id") })
	if i < 0 {
		return nil, wrong("config element not found")
	}
	e := st.Config[i]
	st.Config = slices.Delete(st.Config, i, i+1)
	return e.fields(), nil
}

func (st *Stack) configElement(_ *query, args map[string]any) (any, *problem) {
	for _, e := range st.Config {
		if e.ID == str(args, "id") {
			return e.fields(), nil
		}
	}
	return nil, nil
}

func (e ConfigElement) fields() object {
	value := any(e.Value)
	if e.WriteOnly {
		value = nil
	}
	return object{
		"id": e.ID, "type": e.Type, "value": value, "checksum": e.Checksum, "writeOnly": e.WriteOnly, "description": e.Description,
		"fileMode": orNull(e.FileMode), "createdAt": unix(e.Created), "runtime": false,
	}
}

func configFields(list []ConfigElement) []any {
	out := []any{}
	for _, e := range list {
		out = append(out, e.fields())
	}
	return out
}
