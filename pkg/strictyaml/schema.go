package strictyaml

import (
	"github.com/santhosh-tekuri/jsonschema/v5"
)

// maxSchemaBytes bounds a schema file; real ones have a few kilobytes.
const maxSchemaBytes = 1 << 20

// Schema is a compiled JSON Schema.
type Schema struct {
	compiled *jsonschema.Schema
	doc      any // the schema itself, for suggestions
}
