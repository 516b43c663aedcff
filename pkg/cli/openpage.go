package cli

import (
	"fmt"
	"os/exec"
	"runtime"

	"github.com/metapipe/metapipe/pkg/text"
)

// openPage shows a file in the browser of this desktop. A page that cannot be shown fails nothing: its path was
// printed.
func (a *App) openPage(file string) {
	name, arguments := "xdg-open", []string{file}
	switch {
	case a.getenv("BROWSER") != "":
		name = a.getenv("BROWSER")
	case runtime.GOOS == "darwin":
		name = "open"
	case runtime.GOOS == "windows":
		name, arguments = "rundll32", []string{"url.dll,FileProtocolHandler", file}
	}
	if err := a.startProgram(name, arguments); err != nil {
		a.logf("the page cannot be opened: %v; open %s yourself", text.FileError(err), file)
	}
}

// startProgram starts a program of the user, which goes on by itself.
func (a *App) startProgram(name string, arguments []string) error {
	cmd := exec.Command(name, arguments...)
	cmd.Env, cmd.Dir = a.Environ, a.Dir
	if err := cmd.Start(); err != nil {
		return err
	}
	if err := cmd.Process.Release(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
