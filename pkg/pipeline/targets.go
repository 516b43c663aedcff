package pipeline

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
)

// targets fills in request.Targets and request.Held: the environments declared
// in metapipe.yml, in its order, that the customer may use and that stand in
// variables.yml. One that stands there and may not be used is a problem with its
// line.
func targets(from origin, document Document, request *Request) Problems {
	problems := CheckEnvironments(from.customer, document)
	declared := document.Environments()
	present := func(env Environment) bool {
		return slices.ContainsFunc(declared, func(d DeclaredEnvironment) bool { return d.Name == string(env) })
	}
	if from.only != "" && !present(from.only) {
		position, _ := document.Locate("environments")
		problems = append(problems, Problem{Position: position, Rule: "environment-missing",
			Message: fmt.Sprintf("environment %q is not in the file", from.only), Remedy: "add it under `environments`, or ask for another one"})
	}
	request.PlanOnly = map[Environment]string{}
	for _, rule := range from.customer.Manager.Environments {
		if !from.customer.Allows(rule.Name) || !present(rule.Name) || (from.only != "" && from.only != rule.Name) {
			continue
		}
		request.Targets = append(request.Targets, rule.Name)
		if request.Mode == ModeApply && !rule.Admits(request.Branch, request.Repository.DefaultBranch) {
			request.PlanOnly[rule.Name] = fmt.Sprintf("branch %q may not apply to %s", request.Branch, rule.Name)
		}
	}
	return problems
}

// AllowedNames lists the environments that a customer may use, in promotion order.
func AllowedNames(c Customer) string {
	return JoinNames(c.Allowed())
}

// JoinNames writes names in one line, with commas between them.
func JoinNames[T ~string](names []T) string {
	all := make([]string, len(names))
	for i, name := range names {
		all[i] = string(name)
	}
	return strings.Join(all, ", ")
}

// Admits reports whether a branch may apply to the environment. It compares whole
// branch names: "maintenance" does not contain "main".
func (r EnvironmentRule) Admits(branch, defaultBranch string) bool {
	if len(r.Branches) == 0 {
		return branch != "" && branch == defaultBranch
	}
	return slices.ContainsFunc(r.Branches, func(pattern string) bool {
		ok, err := path.Match(pattern, branch)
		return err == nil && ok
	})
}

// removed finds environments that were worked on before and are not in the file
// any more.
func (f *FetchVars) removed(ctx context.Context, from origin, document Document, request *Request) error {
	for _, rule := range from.customer.Manager.Environments {
		if slices.ContainsFunc(document.Environments(), func(d DeclaredEnvironment) bool { return d.Name == string(rule.Name) }) {
			continue
		}
		keys, err := f.Store.List(ctx, QueuePrefix(from.customer.Name, rule.Name))
		if err != nil {
			return fmt.Errorf("look for earlier deployments of %s/%s: %w", from.customer.Name, rule.Name, err)
		}
		if len(keys) == 0 {
			continue
		}
		if !f.isDestroyed(ctx, from.customer.Name, rule.Name) {
			request.Removed = append(request.Removed, rule.Name)
		}
	}
	return nil
}

// CheckEnvironments names the environments of variables.yml that the customer may
// not use, each with its line.
func CheckEnvironments(c Customer, document Document) Problems {
	var problems Problems
	for _, d := range document.Environments() {
		if c.Allows(Environment(d.Name)) {
			continue
		}
		remedy := "use " + AllowedNames(c) + ", or ask your service provider for it"
		if like := Nearest(d.Name, strings.Split(AllowedNames(c), ", ")); like != "" {
			remedy = fmt.Sprintf("did you mean %q? Else %s", like, remedy)
		}
		problems = append(problems, Problem{Position: d.Position, Rule: string(ReasonNotAllowed),
			Message: fmt.Sprintf("environment %q is not one that %s may use", d.Name, cmp.Or(string(c.Name), "this customer")),
			Remedy:  remedy})
	}
	return problems
}
