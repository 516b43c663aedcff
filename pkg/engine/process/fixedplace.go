package process

import (
	"runtime"
)

// FixedPlace is the path by which the tool and what it starts know the workspace on
// Linux: a directory that they inherit as the first open file after the standard
// ones. So path.cwd and abspath() have one value in every job of a target, wherever
// the workspace lies, and two jobs on one machine cannot meet there.
const FixedPlace = "/proc/self/fd/3"

// HasFixedPlace reports whether this system knows such paths.
const HasFixedPlace = runtime.GOOS == "linux"
