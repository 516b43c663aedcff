package module

// SourceVariables is the customer's file, as metapipe writes it into the root module.
const SourceVariables = "source-variables.yml"

// BackendOverride is the backend that metapipe writes into the root module. Its name
// must end so: the tool lays it over whatever backend the root declares.
const BackendOverride = "metapipe_backend_override.tf.json"

// OwnNames are the names in the root module that belong to metapipe: what the
// manager has there is left out. OpenTofu would read the last one in the place of
// the override.
var OwnNames = []string{SourceVariables, BackendOverride, "metapipe_backend_override.tofu.json"}

// OwnVariable reports the variables of a root module that metapipe feeds, whatever
// the customer's file says.
func OwnVariable(name string) bool {
	return name == "config" || name == "environment" || name == "source_repo"
}
