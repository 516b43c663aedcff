package cli

import (
	"cmp"
	"os"
	"os/user"
	"strconv"
)

// operator is who runs a command that the ledger notes: in Actions the account that started this
// attempt of the run, on a laptop the user of this machine. Nothing proves that one, and
// the name says so.
func (s *step) operator() string {
	if s.context.InActions {
		return cmp.Or(s.context.TriggeringActor, s.context.Actor)
	}
	name := "user " + strconv.Itoa(os.Getuid())
	if u, err := user.Current(); err == nil && u.Username != "" {
		name = u.Username
	}
	if host := hostname(); host != "" {
		name += "@" + host
	}
	return name + " (unverified)"
}

// hostname is the machine as the tool writes it into locks; empty when it has no
// name, so that no lock leads to this run.
func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	return name
}
