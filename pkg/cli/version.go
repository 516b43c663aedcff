package cli

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func newVersionCmd(app *App) *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print the version of metapipe",
		Example: "  metapipe version --json",
		Args:    noArguments,
		RunE: func(*cobra.Command, []string) error {
			if asJSON {
				return app.printJSON(app.Version.built(debug.ReadBuildInfo).result())
			}
			return app.printVersion()
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (a *App) printVersion() error {
	_, err := fmt.Fprintln(a.Out, a.Version.built(debug.ReadBuildInfo))
	return err
}

// versionResult is what --json prints.
type versionResult struct {
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"`
	Date    string `json:"date,omitempty"` // of the commit, RFC 3339
	Go      string `json:"go"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
}

func (v Version) result() versionResult {
	return versionResult{Version: v.Number, Commit: v.Commit, Date: v.Date, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
}

// String is the line that `metapipe version` and `metapipe --version` print.
func (v Version) String() string {
	line := "metapipe " + v.Number
	if v.Commit != "" {
		line += " (" + v.Commit
		if v.Date != "" {
			line += ", " + v.Date
		}
		line += ")"
	}
	return fmt.Sprintf("%s %s %s/%s", line, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// built fills in what the linker did not set, from what Go records in a binary: so
// also `go install` and `go build` make one that knows its version.
func (v Version) built(read func() (*debug.BuildInfo, bool)) Version {
	if v.Number != "" && v.Number != "dev" {
		return v
	}
	info, ok := read()
	if !ok {
		return v
	}
	if module := info.Main.Version; module != "" && module != "(devel)" {
		v.Number = module
	}
	modified := ""
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Commit = cmp.Or(v.Commit, s.Value)
		case "vcs.time":
			v.Date = cmp.Or(v.Date, s.Value)
		case "vcs.modified":
			if s.Value == "true" {
				modified = "-dirty"
			}
		}
	}
	if v.Commit != "" {
		v.Commit += modified
	}
	return v
}
