package record

import (
	"fmt"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// LedgerPrefix is where a ledger lies. Without an environment it is that of what
// was asked in a customer's name and not accepted; without a customer that of
// requests whose origin nobody proved.
func LedgerPrefix(c pipeline.CustomerName, env pipeline.Environment) string {
	switch {
	case c == "":
		return "_metapipe/ledger/"
	case env == "":
		return fmt.Sprintf("%s/ledger/", c)
	}
	return fmt.Sprintf("%s/%s/ledger/", c, env)
}

func LedgerKey(c pipeline.CustomerName, env pipeline.Environment, sequence int) string {
	return fmt.Sprintf("%s%010d.json", LedgerPrefix(c, env), sequence)
}
