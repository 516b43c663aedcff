// Command metapipe carries a change of a customer's infra/variables.yml to the
// service provider's Terraform and the answer back.
package main

import (
	"os"

	_ "github.com/metapipe/metapipe/cmd/metapipe/internal/firstcollection"
	"github.com/metapipe/metapipe/pkg/cli"
)

// Set by the linker; see the Makefile.
var version, commit, date = "dev", "", ""

func main() {
	os.Exit(cli.Process(os.Args[1:], cli.Version{Number: version, Commit: commit, Date: date}))
}
