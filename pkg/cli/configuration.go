package cli

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Configuration renders JSON Schemas as one Markdown page of keys. schema describes the
// variables.yml of the example.
func Configuration(metapipe, customer, schema []byte) (string, error) {
	var b strings.Builder
	b.WriteString(configurationHead)
	for _, file := range []struct {
		title, text string
		schema      []byte
	}{
		{"metapipe.yml", "At the top of the manager's repository. `metapipe schema metapipe` prints the schema.", metapipe},
		{"customers/NAME.yml", "One file for each customer, in the manager's repository. A customer's file can only be stricter than `metapipe.yml`. `metapipe schema " +
			"customer` prints the schema.", customer},
		{"variables.yml", "In the customer's repository. The manager's own schema decides about its keys; these are those of [the example](../examples/manager/schema/variables.schema.json).", schema},
	} {
		var root map[string]any
		if err := json.Unmarshal(file.schema, &root); err != nil {
			return "", fmt.Errorf("read the schema of %s: %w", file.title, err)
		}
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n| key | value | meaning |\n|---|---|---|\n", file.title, file.text)
		keyTable{root: root, out: &b}.object(root, "", 0)
	}
	return b.String(), nil
}

const configurationHead = `# Configuration

All keys of the three files. This page is generated from their JSON Schemas by ` + "`make golden`" + `.

**The ` + "`description`" + ` of a schema becomes the customer's remedy.** Where a value of ` + "`variables.yml`" + ` breaks a rule, metapipe
prints the line, the rule and the description of the key. Without a description, a customer reads a pattern such as
` + "`^[a-z]{2}-[a-z]+-[1-9]$`" + `; with one: "a region such as eu-west-1". Describe each key in the customer's words.

**Where Terraform goes.** The root module is ` + "`terraform/`" + ` of the manager's repository, or the directory that ` + "`root`" + ` of the
customer's file names. Modules can lie anywhere in the repository.

**What the root module gets.** The customer's file lies beside the root module as ` + "`source-variables.yml`" + `, with
` + "`{{ environment }}`" + ` filled in. Where the root module declares them, these variables are set too:

| variable | value |
|---|---|
| ` + "`source_repo`" + ` | the customer's repository as owner/name |
| ` + "`environment`" + ` | the name of the environment |
| ` + "`config`" + ` | the whole file as one object; declare it with ` + "`type = any`" + ` |
| any other name | the top-level key with that name; a key of ` + "`environments.<environment>`" + ` goes before it |
`

// keyTable writes a row for each key of a schema.
type keyTable struct {
	root map[string]any
	out  *strings.Builder
}

func (k keyTable) object(schema map[string]any, prefix string, depth int) {
	if depth > 6 {
		return
	}
	var required []any
	required, _ = schema["required"].([]any)
	properties, _ := schema["properties"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		described, _ := properties[name].(map[string]any)
		k.row(described, prefix+name, slices.Contains(required, any(name)), depth)
	}
	if further, ok := schema["additionalProperties"].(map[string]any); ok {
		k.row(further, prefix+"NAME", false, depth)
	}
}

func (k keyTable) row(described map[string]any, key string, required bool, depth int) {
	schema := k.resolved(described)
	text, _ := described["description"].(string)
	if text == "" {
		text, _ = schema["description"].(string)
	}
	if required {
		text = strings.TrimSpace("Required. " + text)
	}
	escape := strings.NewReplacer("|", "\\|", "\n", " ").Replace
	fmt.Fprintf(k.out, "| `%s` | %s | %s |\n", key, escape(k.values(schema)), escape(text))
	k.object(schema, key+".", depth+1)
	if items, ok := schema["items"].(map[string]any); ok {
		k.object(k.resolved(items), key+"[].", depth+1)
	}
}

// resolved follows a reference within the file.
func (k keyTable) resolved(schema map[string]any) map[string]any {
	ref, _ := schema["$ref"].(string)
	path, local := strings.CutPrefix(ref, "#/")
	if !local {
		return schema
	}
	at := k.root
	for step := range strings.SplitSeq(path, "/") {
		at, _ = at[step].(map[string]any)
	}
	return at
}

// values says what a key takes.
func (k keyTable) values(schema map[string]any) string {
	var parts []string
	switch kind := schema["type"].(type) {
	case string:
		parts = append(parts, kind)
	case []any:
		parts = append(parts, strings.Trim(fmt.Sprint(kind), "[]"))
	}
	if items, ok := schema["items"].(map[string]any); ok {
		if kind, ok := k.resolved(items)["type"].(string); ok {
			parts = append(parts, "of "+kind)
		}
	}
	if words, ok := schema["enum"].([]any); ok {
		var quoted []string
		for _, w := range words {
			quoted = append(quoted, fmt.Sprintf("`%v`", w))
		}
		parts = append(parts, strings.Join(quoted, ", "))
	}
	for _, bound := range []struct{ key, word string }{{"minimum", "from"}, {"maximum", "to"}, {"pattern", "like"}} {
		// A pattern with this in it would look like a link.
		if v, ok := schema[bound.key]; ok && !strings.Contains(fmt.Sprint(v), "](") {
			parts = append(parts, fmt.Sprintf("%s `%v`", bound.word, v))
		}
	}
	return strings.Join(parts, " ")
}
