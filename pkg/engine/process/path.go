package process

import (
	"os"
	"path/filepath"
	"runtime"
)

// system is an operating system, as GOOS names it: it decides which files are programs.
type system string

// executable is the name of the file of a program.
func (s system) executable(program string) string {
	if s == "windows" {
		return program + ".exe"
	}
	return program
}

// isExecutable reports whether a program can be started from the file at path. Windows has no
// bit for that and decides by the name.
func (s system) isExecutable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && (s == "windows" || info.Mode().Perm()&0o111 != 0)
}

func (s system) inPath(list, program string) []string {
	var paths []string
	for _, dir := range filepath.SplitList(list) {
		// A relative entry would let a checkout bring its own tool.
		if path := filepath.Join(dir, s.executable(program)); filepath.IsAbs(dir) && s.isExecutable(path) {
			paths = append(paths, path)
		}
	}
	return paths
}

// Executable is the name of the file of a program on this system: terraform, or terraform.exe.
func Executable(program string) string { return system(runtime.GOOS).executable(program) }

// IsExecutable reports whether there is a program at path.
func IsExecutable(path string) bool { return system(runtime.GOOS).isExecutable(path) }

// InPath are the files of a program in the PATH of the environment, in its order.
func (e Environ) InPath(program string) []string {
	return system(runtime.GOOS).inPath(e.Get("PATH"), program)
}

// Home is the home directory of the user; empty where the environment names none.
func (e Environ) Home() string { return e.home(system(runtime.GOOS)) }

func (e Environ) home(s system) string {
	home := e.Get("HOME")
	if home == "" && s == "windows" {
		return e.Get("USERPROFILE")
	}
	return home
}
