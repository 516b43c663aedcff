package config

import (
	"os"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Locate is the place of a value of metapipe.yml, where each step of path is a key or the
// index of an item. Without such a value it is the place of what holds it, and without a
// file that can be read it names the file alone.
func Locate(managerDir string, path ...string) pipeline.Position {
	at := pipeline.Position{File: ManagerFile}
	root, err := os.OpenRoot(managerDir)
	if err != nil {
		return at
	}
	defer root.Close()
	if node := (&loader{root: root}).read(ManagerFile, managerExample); node != nil {
		at, _ = node.Locate(path...)
		at.File = ManagerFile
	}
	return at
}
