// Package cli is the command tree of metapipe, one file per command: flags and
// environment in, adapters built, errors and exit codes out.
package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"encoding/json"

	"os"
	"path/filepath"

	"github.com/metapipe/metapipe/pkg/render"
	"github.com/metapipe/metapipe/pkg/text"
)

// App is what a process brings along: nothing in this package reads globals.
type App struct {
	In       io.Reader
	Out, Err io.Writer
	Environ  []string // as of os.Environ
	Dir      string   // working directory
	Binary   string   // path of this executable, for rehearse
	Version  Version
	Now      func() time.Time
	Sleep    func(context.Context, time.Duration) error

	onTerminal bool     // Err is one; asked before a mask is put before it
	pen        text.Pen // of Out, likewise

	commands  io.Writer  // Out, before it was disarmed
	step      *step      // made once: masks are printed once
	secrets   *secretSet // nil until the streams are guarded
	command   string     // such as "metapipe report"
	unhelpful error      // what --help was asked about is no command
}

// Version is what `metapipe version` prints.
type Version struct {
	Number, Commit, Date string
}

// logf prints a line of progress for people; it goes to stderr, so that stdout
// carries results only.
func (a *App) logf(format string, args ...any) {
	fmt.Fprintf(a.Err, "metapipe: %s\n", render.Terminal(fmt.Sprintf(format, args...)))
}

func (a *App) getenv(name string) string {
	value, _ := a.lookup(name)
	return value
}

func (a *App) lookup(name string) (string, bool) {
	for i := len(a.Environ) - 1; i >= 0; i-- {
		if key, value, ok := strings.Cut(a.Environ[i], "="); ok && key == name {
			return value, true
		}
	}
	return "", false
}

func (a *App) printJSON(value any) error {
	encoder := json.NewEncoder(a.Out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}

func (a *App) absolute(dir string) string {
	if filepath.IsAbs(dir) {
		return filepath.Clean(dir)
	}
	return filepath.Join(a.Dir, dir)
}

// cacheDir is metapipe's folder in the user's cache directory.
func (a *App) cacheDir() string {
	if dir := a.getenv("XDG_CACHE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "metapipe")
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "metapipe")
}
