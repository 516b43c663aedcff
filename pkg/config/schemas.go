package config

import (
	_ "embed"
)

var (
	//go:embed schema/metapipe.schema.json
	managerSchema string
	//go:embed schema/customer.schema.json
	customerSchema string
	//go:embed schema/compliance-file.schema.json
	complianceSchema string
	//go:embed schema/sync-file.schema.json
	syncSchema string
)

// ManagerSchema is the JSON Schema (draft 2020-12) of metapipe.yml, for editors.
// Load checks more than it can say.
func ManagerSchema() []byte { return []byte(managerSchema) }

// ComplianceSchema is the JSON Schema (draft 2020-12) of compliance.yml, for editors.
// LoadCompliance checks more than it can say.
func ComplianceSchema() []byte { return []byte(complianceSchema) }

// SyncSchema is the JSON Schema (draft 2020-12) of sync.yml, for editors. LoadSync checks more than it can say.
func SyncSchema() []byte { return []byte(syncSchema) }

// CustomerSchema is the JSON Schema (draft 2020-12) of customers/<name>.yml, for
// editors. Load checks more than it can say.
func CustomerSchema() []byte { return []byte(customerSchema) }
