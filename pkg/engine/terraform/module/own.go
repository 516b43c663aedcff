package module

// SourceVariables is the customer's file, as metapipe writes it into the root module.
const SourceVariables = "source-variables.yml"

// BackendOverride is the backend that metapipe writes into the root module. Its name
// must end so: the tool lays it over whatever backend the root declares.
const BackendOverride = "metapipe_backend_override.tf.json"

// NeededOverride marks variables that hold sensitive outputs of other stacks as sensitive.
// The tool lays it over the declaration in the root.
const NeededOverride = "metapipe_needs_override.tf.json"

// OwnNames are the names in the root module that belong to metapipe: what the
// manager has there is left out. OpenTofu would read those that end in .tofu.json in the
// place of the overrides.
var OwnNames = []string{SourceVariables, BackendOverride, "metapipe_backend_override.tofu.json", NeededOverride, "metapipe_needs_override.tofu.json"}

// OwnVariable reports the variables of a root module that metapipe feeds, whatever
// the customer's file says.
func OwnVariable(name string) bool {
	return name == "config" || name == "environment" || name == "source_repo"
}
