package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// coverageFile stands beside the copies of this binary that the tests run as
// metapipe. It names the folder for what they covered: most of them run in an
// environment of their own, which has no GOCOVERDIR.
const coverageFile = "coverage-folder"

// coverageFolder is where processes of the tests leave what they covered;
// `make coverage` reads it. Without it they leave it where it goes with the tests.
const coverageFolder = "METAPIPE_COVERAGE"

// covering are tests whose processes take part in the coverage.
type covering struct{ *testing.M }

// Run implements testscript.TestingM.
func (c covering) Run() int {
	if testing.CoverMode() != "" {
		binary, err := exec.LookPath("metapipe")
		if err != nil {
			panic(err) // testscript.Main has put it there
		}
		folder := os.Getenv(coverageFolder)
		if folder == "" {
			folder = filepath.Join(filepath.Dir(binary), "coverage")
		}
		if err := os.MkdirAll(folder, 0o700); err != nil {
			panic(err)
		}
		if err := os.WriteFile(filepath.Join(filepath.Dir(binary), coverageFile), []byte(folder), 0o600); err != nil {
			panic(err)
		}
	}
	return c.M.Run()
}

// reportCoverage lets this process leave what it covered when it ends. Without a
// folder a covered program complains on its standard error, which tests read.
func reportCoverage() {
	binary, err := os.Executable()
	if err != nil {
		return
	}
	if folder, err := os.ReadFile(filepath.Join(filepath.Dir(binary), coverageFile)); err == nil {
		_ = os.Setenv("GOCOVERDIR", string(folder))
	}
}
