package cli

import (
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/render"
)

//go:embed schema/*.schema.json
var schemaFiles embed.FS

func newSchemaCmd(app *App) *cobra.Command {
	return &cobra.Command{
		Use:   "schema [NAME]",
		Short: "Print a JSON Schema: of a file, or of what --json prints",
		Long: `schema prints a JSON Schema (draft 2020-12): metapipe for metapipe.yml, customer for
customers/NAME.yml, compliance-file for compliance.yml, sync-file for sync.yml, and one
for what each command prints with --json. Without a name it lists them.`,
		Example: `  metapipe schema
  metapipe schema metapipe >metapipe.schema.json
  metapipe schema validate`,
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return slices.Sorted(maps.Keys(Schemas())), cobra.ShellCompDirectiveNoFileComp
		},
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) < 2 {
				return nil
			}
			return pipeline.Usagef("schema takes one name").Nextf("%s", seeHelp(cmd))
		},
		RunE: func(_ *cobra.Command, args []string) error {
			all := Schemas()
			if len(args) == 0 {
				_, err := fmt.Fprintln(app.Out, strings.Join(slices.Sorted(maps.Keys(all)), "\n"))
				return err
			}
			text, ok := all[args[0]]
			if !ok {
				return pipeline.Usagef("schema %q does not exist", args[0]).
					Nextf("one of %s", strings.Join(slices.Sorted(maps.Keys(all)), ", "))
			}
			_, err := app.Out.Write(text)
			return err
		},
	}
}

// SchemaID is the address of a schema under the name that `metapipe schema` knows.
func SchemaID(name string) string {
	return "https://raw.githubusercontent.com/metapipe/metapipe/main/" + schemaPath(name)
}

func schemaPath(name string) string {
	switch name {
	case "metapipe", "customer", "compliance-file", "sync-file":
		return "pkg/config/schema/" + name + ".schema.json"
	case "drift":
		return "pkg/render/schema/" + name + ".schema.json"
	}
	return "pkg/cli/schema/" + name + ".schema.json"
}

// Schemas are all schemas by the names under which they are printed.
func Schemas() map[string][]byte {
	all := map[string][]byte{"metapipe": config.ManagerSchema(), "customer": config.CustomerSchema(), "compliance-file": config.ComplianceSchema(), "sync-file": config.SyncSchema(), "drift": render.DriftSchema()}
	files, err := fs.Glob(schemaFiles, "schema/*.schema.json")
	if err != nil {
		return all
	}
	for _, file := range files {
		if text, err := fs.ReadFile(schemaFiles, file); err == nil {
			all[strings.TrimSuffix(path.Base(file), ".schema.json")] = text
		}
	}
	return all
}
