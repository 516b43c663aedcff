package cli

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"
)

func newVersionCmd(app *App) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of metapipe",
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			v := app.Version
			line := "metapipe " + v.Number
			if v.Commit != "" {
				line += " (" + v.Commit
				if v.Date != "" {
					line += ", " + v.Date
				}
				line += ")"
			}
			_, err := fmt.Fprintf(app.Out, "%s %s %s/%s\n", line, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}
