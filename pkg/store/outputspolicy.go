package store

import (
	"path"
	"slices"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// withOutputs adds what a role does with the outputs that stacks pass on to each other. It
// adds nothing where no stack needs another one.
func (s Scope) withOutputs(role Role, g grant) grant {
	own := s.target().Folder() + "/outputs/*"
	if s.Passes {
		switch role {
		case RolePlan, RoleApply: // write the new ones, and remove the older ones
			g.read, g.write, g.remove = append(g.read, own), append(g.write, own), append(g.remove, own)
		case RoleDrift:
			g.read = append(g.read, own)
		case RoleRekey:
			g.read, g.write = append(g.read, own), append(g.write, own)
		}
	}
	for _, t := range s.needed() {
		outputs := t.Folder() + "/outputs/*"
		switch role {
		case RolePlan: // in a pull request, the outputs that a plan shows
			plans := t.Folder() + "/plans/*"
			g.list = append(g.list, outputs, plans)
			g.read = append(g.read, outputs, plans+".json", plans+"/outputs.sealed")
			g.openNeeded = true
		case RoleApply, RoleDrift:
			g.list, g.read = append(g.list, outputs), append(g.read, outputs)
			g.openNeeded = true
		}
	}
	g.list, g.read = slices.Clip(g.list), slices.Clip(g.read)
	return g
}

// withHome adds the folder of a state that is more than one object. What the tool encrypts
// itself is under keys that lie beside it where KMS seals, so that an apply reads these, too.
func (s Scope) withHome(role Role, g grant) grant {
	if s.Home == "" {
		return g
	}
	all, keys := path.Join(s.target().Folder(), s.Home)+"/*", s.target().Folder()+"/keys/*"
	switch role {
	case RolePlan, RoleDrift, RoleRekey:
		g.read = append(g.read, all)
	case RoleApply:
		g.read, g.write, g.remove = append(g.read, all, keys), append(g.write, all), append(g.remove, all)
	case RoleSweep: // releases locks, whose names the tool chooses
		g.read, g.remove = append(g.read, all), append(g.remove, all)
	}
	return g
}

// neededContext asks for outputs, and for the records that authenticate plans, of the
// targets that the scope needs.
func (s Scope) neededContext() map[string]map[string][]string {
	var parts []string
	for _, t := range s.needed() {
		parts = append(parts, t.Part())
	}
	return map[string]map[string][]string{
		"StringLike":   {"kms:EncryptionContext:" + contextCustomer: {s.Customer}, "kms:EncryptionContext:" + contextEnvironment: parts},
		"StringEquals": {"kms:EncryptionContext:" + contextKind: {string(pipeline.SealOfRecord), string(pipeline.SealOfOutputs)}},
	}
}
