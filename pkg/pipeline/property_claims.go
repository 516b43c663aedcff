package pipeline

import (
	"fmt"
	"slices"
)

// CheckClaims compares the properties of a request with those in the ID token that signed it. Each
// used one must be in the token with the value that GitHub's API has: it may have been changed
// between the two. claims are unknown where the request carries no valid token.
func (p *RequestProperties) CheckClaims(claims Properties) Problems {
	if p == nil {
		return nil
	}
	if !claims.Known() {
		return Problems{{Position: propertyPlace(""), Rule: string(ReasonProperties), Message: "the request carries no ID token that the properties could be compared with",
			Remedy: "give the job `permissions: id-token: write`"}}
	}
	var problems Problems
	for _, used := range p.Used {
		claim := claims.Get(used.Name)
		if claim.equals(used.Value) {
			continue
		}
		problem := Problem{Position: propertyPlace(used.Name), Rule: string(ReasonProperties)}
		if claim.Form != used.Value.Form && used.Value.Form != PropertyUnset {
			problem.Message = "the ID token of the run does not have the property as the repository has it, so that the two cannot be compared"
			problem.Remedy = AskProvider + ": the organization includes the property in its ID tokens, or metapipe.yml does not compare them"
		} else {
			problem.Message, problem.Remedy = fmt.Sprintf("it was %s when the run signed the request, and is %s now", claim.words(), used.Value.words()), "run the workflow again"
		}
		problems = append(problems, problem)
	}
	return problems
}

// equals compares two values; the order of a list means nothing.
func (p Property) equals(o Property) bool {
	return p.Form == o.Form && p.Form != PropertyOther && p.Text == o.Text && slices.Equal(slices.Sorted(slices.Values(p.List)), slices.Sorted(slices.Values(o.List)))
}

// words is the value for people, quoted.
func (p Property) words() string {
	switch p.Form {
	case PropertyUnset:
		return "unset"
	case PropertyText:
		return Quote(p.Text)
	case PropertyList:
		return Quote(JoinNames(p.List))
	}
	return "a value of another form"
}
