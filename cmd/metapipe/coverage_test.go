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

// Processes are tests that run metapipe as a process.
type Processes struct{ *testing.M }

// Run implements testscript.TestingM.
func (p Processes) Run() int {
	binary, err := exec.LookPath("metapipe")
	if err != nil {
		panic(err) // testscript.Main has put it there
	}
	if RaceDetector {
		if err := withoutDetector(binary); err != nil {
			panic(err)
		}
	}
	if testing.CoverMode() != "" {
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
	return p.M.Run()
}

// DetectorFolder stands beside the metapipe of the tests and holds the one with the race
// detector, which the scripts of testdata/e2e run.
const DetectorFolder = "race"

// withoutDetector builds the metapipe of most tests. A process with the race detector
// takes ten times as long to start, and the tests start thousands.
func withoutDetector(binary string) error {
	folder := filepath.Join(filepath.Dir(binary), DetectorFolder)
	if err := os.Mkdir(folder, 0o700); err != nil {
		return err
	}
	if err := os.Rename(binary, filepath.Join(folder, filepath.Base(binary))); err != nil {
		return err
	}
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", binary, ".")
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	return cmd.Run()
}

// ReportCoverage lets this process leave what it covered when it ends. Without a
// folder a covered program complains on its standard error, which tests read.
func ReportCoverage() {
	binary, err := os.Executable()
	if err != nil {
		return
	}
	if folder, err := os.ReadFile(filepath.Join(filepath.Dir(binary), coverageFile)); err == nil {
		_ = os.Setenv("GOCOVERDIR", string(folder))
	}
}
