package pipeline

import (
	"fmt"
	"slices"
	"strings"
)

// ContentRules say which files a customer's repository may hold, by its content type. The
// patterns are those of CodePattern, relative to the root of the repository; one may
// begin with PathPlaceholder.
type ContentRules struct {
	// Enforce makes findings fail; without it they are warnings.
	Enforce bool
	// Default is the type of a repository whose property is unset; empty: it has none, and
	// only the rules of the customer's path hold.
	Default ContentType `json:",omitempty"`
	// Types has the rules of each type.
	Types map[ContentType]ContentRule
	// App and Infra match what is application code and what is infrastructure.
	App, Infra []string
	// Ignore matches what is not looked at outside of the customer's path.
	Ignore []string
}

// ContentRule is what a repository of one type holds. Allow takes paths out of Forbid.
type ContentRule struct{ Require, Forbid, Allow []string }

// ContentType is what a repository holds.
type ContentType string

// The types.
const (
	ContentApp   ContentType = "app"   // application code only
	ContentInfra ContentType = "infra" // infrastructure only
	ContentBoth  ContentType = "both"
	// ContentNone is an empty list: neither of them. No rules are about it.
	ContentNone ContentType = "none"
)

// ContentTypes are the types that have rules, in the order in which they are shown.
var ContentTypes = []ContentType{ContentApp, ContentInfra, ContentBoth}

// PathPlaceholder stands for the customer's path at the beginning of a pattern.
const PathPlaceholder = "{{ path }}"

// DefaultContentRules are those of an empty `content` in metapipe.yml: customers say what
// they need in variables.yml, and the tools' own files are the provider's.
func DefaultContentRules() ContentRules {
	variables := []string{PathPlaceholder + "/" + VariablesFile}
	tools := []string{"**/*.tf", "**/*.tf.json", "**/*.tfvars", PathPlaceholder + "/**"}
	allow := []string{PathPlaceholder + "/" + VariablesFile, PathPlaceholder + "/**/*.md"}
	return ContentRules{
		Types: map[ContentType]ContentRule{
			ContentApp:   {Forbid: []string{PathPlaceholder + "/**"}},
			ContentInfra: {Require: variables, Forbid: tools, Allow: allow},
			ContentBoth:  {Require: variables, Forbid: tools, Allow: allow},
		},
		App: []string{"app", "src", "frontend", "backend", "services", "packages", "lib", "components"},
		Infra: []string{PathPlaceholder, "infra", "terraform", "ansible", "kubernetes", "k8s", "helm", "cloudformation", "pulumi",
			"**/*.tf", "**/*.tfvars", "ansible.cfg", "playbook.yml"},
		Ignore: []string{"**/vendor", "**/node_modules"},
	}
}

// HasInfra reports whether a repository of the type asks for infrastructure.
func (t ContentType) HasInfra() bool { return t == ContentInfra || t == ContentBoth }

// ReadContentType is the type that a property names: one of the texts app, infra and both,
// or a list of app and infra. It is empty where the property is unset. A value that is
// none of these is said by the message, and then the type is empty, too.
func ReadContentType(value Property) (t ContentType, message string) {
	words := value.List
	switch value.Form {
	case PropertyUnset:
		return "", ""
	case PropertyText:
		if value.Text == string(ContentBoth) {
			return ContentBoth, ""
		}
		words = []string{value.Text}
	case PropertyList:
	default:
		return "", "the value is neither a text nor a list of texts"
	}
	for _, word := range words {
		if word != string(ContentApp) && word != string(ContentInfra) {
			return "", Quote(word) + " is no content type"
		}
	}
	app, infra := slices.Contains(words, string(ContentApp)), slices.Contains(words, string(ContentInfra))
	switch {
	case app && infra:
		return ContentBoth, ""
	case app:
		return ContentApp, ""
	case infra:
		return ContentInfra, ""
	}
	return ContentNone, ""
}

// ContentRemedy says what a content type can be.
const ContentRemedy = "set it to app, infra or both; a multi_select has the values app and infra"

// BadContentPattern says what is wrong with a pattern of ContentRules; empty for a good one.
func BadContentPattern(s string) string {
	return BadCodePattern(FillContentPattern(s, "x"))
}

// FillContentPattern puts the customer's path into a pattern.
func FillContentPattern(pattern, path string) string {
	if rest, ok := strings.CutPrefix(pattern, PathPlaceholder); ok && (rest == "" || rest[0] == '/') {
		return path + rest
	}
	return pattern
}

// ContentResult is what a look at the files of a checkout has found.
type ContentResult struct {
	Type    ContentType // empty: not known
	Enforce bool
	// Problems are the findings, warnings unless Enforce; More counts those beyond them.
	Problems Problems
	More     int
	// Unknown says why the files are not known; Problems are then not all.
	Unknown string
	// Assumed says why the default rules were applied in the place of the manager's.
	Assumed string
}

// ContentContext is the context of the status about the content type.
func (r Request) ContentContext() string {
	if r.SharedRepository {
		return "infra/content-type/" + string(r.Customer)
	}
	return "infra/content-type"
}

// Fails reports whether the findings stop the request.
func (r ContentResult) Fails() bool { return r.Enforce && (len(r.Problems) > 0 || r.Unknown != "") }

// Status is the state and the description of the commit status. GitHub has no state for a
// warning: findings that are not enforced are a success whose text says so.
func (r ContentResult) Status() (StatusState, string) {
	state, note := StatusSuccess, "Warning: "
	if r.Enforce {
		state, note = StatusFailure, ""
	}
	switch {
	case len(r.Problems) > 0:
		first := r.Problems[0]
		tail := ""
		if more := len(r.Problems) - 1 + r.More; more > 0 {
			tail = fmt.Sprintf(" (+%d more)", more)
		}
		return state, ClipBefore(note+first.Position.String()+": "+first.Message, tail+" · See the job summary", StatusLimit)
	case r.Unknown != "":
		if r.Enforce {
			state = StatusError
		}
		return state, ClipBefore(note+"Not known: "+r.Unknown, " · See the job summary", StatusLimit)
	case r.Type == ContentNone:
		return StatusSuccess, "The content type is neither app nor infra"
	case r.Type == "":
		return StatusSuccess, "No content type is set; nothing is wrong with the files under the path"
	}
	return StatusSuccess, "The files fit the content type " + string(r.Type)
}
