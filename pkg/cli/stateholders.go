package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/metapipe/metapipe/pkg/pipeline/sweep"
	"github.com/metapipe/metapipe/pkg/render"
)

// printHolders says whose step took the lock, since the lock itself names a machine only,
// and what releases it.
func (m states) printHolders(ctx context.Context, w io.Writer, s targetState) error {
	if s.LockDamaged != nil {
		_, err := fmt.Fprintf(w, "unlock\twhen you know that no process works on the state, remove %s\n", render.TerminalLine(s.LockDamaged.Place))
		return err
	}
	if s.Lock == nil {
		return nil
	}
	holders, err := sweep.WhoHolds(ctx, m.store, s.Target, *s.Lock)
	if err != nil {
		return err
	}
	holder := "no open request of metapipe"
	if len(holders) > 0 {
		holder = holders.String()
	}
	noRun := ""
	if len(holders) != 1 || holders[0].Run.ID == 0 { // unlock has no run to ask GitHub about
		noRun = " --no-run (when you know that the process there is dead)"
	}
	_, err = fmt.Fprintf(w, "held by\t%s\nunlock\tmetapipe unlock --customer %s --environment %s --lock-id %s%s\n",
		render.TerminalLine(holder), s.Customer, s.Environment, render.TerminalLine(s.Lock.ID), noRun)
	return err
}
