package pipeline

import (
	"strings"
)

// Host is the machine that took the lock: the tool writes user@host.
func (l Lock) Host() string { return l.Who[strings.LastIndexByte(l.Who, '@')+1:] }
