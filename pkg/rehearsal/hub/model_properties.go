package hub

// Properties are the custom properties of a repository: a string, a list of strings
// for a multi-select one, or nil where it has no value.
// https://docs.github.com/rest/repos/custom-properties
type Properties map[string]any

// The types of a property.
const (
	TextProperty    = "string"
	SingleSelect    = "single_select"
	MultiSelect     = "multi_select"
	TrueFalse       = "true_false" // its values are the texts "true" and "false"
	AddressProperty = "url"
)

// Who may edit the values of a property.
const (
	OrgActors        = "org_actors"
	OrgAndRepoActors = "org_and_repo_actors"
)

// PropertyDefinition is a custom property that an organization has defined.
type PropertyDefinition struct {
	Name, Type string
	// Required: a repository without a value has Default.
	Required bool
	// Default is a string, or a list of strings of a multi-select property.
	Default     any
	Description string
	Allowed     []string // of the two kinds of selection
	// EditableBy is OrgActors where it is empty.
	EditableBy string
	// RequireExplicit asks for the value when a repository is made.
	RequireExplicit bool
	// Enterprise: the enterprise has defined it, so the organization cannot change it.
	Enterprise bool
}

// GitHub's bounds of properties:
// https://docs.github.com/en/organizations/managing-organization-settings/managing-custom-properties-for-repositories-in-your-organization
const (
	maxDefinitions   = 100
	maxAllowedValues = 200
	maxPropertyName  = 75
	maxNamesInPatch  = 30
)
