// Manual writes the man pages and the shell completions of metapipe into a directory,
// for the archives of a release.
//
//	go run . DIR
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/metapipe/metapipe/pkg/cli"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: manual DIR")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// write makes DIR/man and DIR/completions.
func write(dir string) error {
	root := cli.NewRoot(&cli.App{})
	root.DisableAutoGenTag = true
	man, completions := filepath.Join(dir, "man"), filepath.Join(dir, "completions")
	for _, d := range []string{man, completions} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	// A fixed date, so that the same source gives the same pages.
	date := time.Unix(0, 0).UTC()
	if err := doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: "metapipe", Manual: "metapipe", Date: &date}, man); err != nil {
		return err
	}
	return completion(root, completions)
}

func completion(root *cobra.Command, dir string) error {
	for _, err := range []error{
		root.GenBashCompletionFileV2(filepath.Join(dir, "metapipe.bash"), true),
		root.GenZshCompletionFile(filepath.Join(dir, "metapipe.zsh")),
		root.GenFishCompletionFile(filepath.Join(dir, "metapipe.fish"), true),
		root.GenPowerShellCompletionFileWithDesc(filepath.Join(dir, "metapipe.ps1")),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}
