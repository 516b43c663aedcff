package config

import (
	_ "embed"
)

var (
	//go:embed schema/metapipe.schema.json
	managerSchema string
	//go:embed schema/customer.schema.json
	customerSchema string
)

// ManagerSchema is the JSON Schema (draft 2020-12) of metapipe.yml, for editors.
// Load checks more than it can say.
func ManagerSchema() []byte { return []byte(managerSchema) }

// CustomerSchema is the JSON Schema (draft 2020-12) of customers/<name>.yml, for
// editors. Load checks more than it can say.
func CustomerSchema() []byte { return []byte(customerSchema) }
