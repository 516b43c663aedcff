// Package firstcollection delays the first garbage collection. The init functions of the libraries
// allocate just enough for one, which costs a short command a sixth of its processor time.
package firstcollection

import (
	"os"
	"runtime"
	"runtime/debug"
)

// percent is the target of the garbage collector until its first collection, which starts at 16 MB in
// place of 4 MB. The collection restores the usual target: a large plan needs no more memory than before.
const percent = 400

func init() {
	if os.Getenv("GOGC") != "" {
		return
	}
	usual := debug.SetGCPercent(percent)
	runtime.AddCleanup(new([1]*byte), func(int) { debug.SetGCPercent(usual) }, usual)
}
