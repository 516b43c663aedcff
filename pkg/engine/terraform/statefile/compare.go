package statefile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
)

// SameResources reports whether two state files have the same resources and outputs. A
// file that is no state is the same as none.
func SameResources(a, b string) (bool, error) {
	var contents [2]map[string]any
	for i, file := range []string{a, b} {
		raw, err := os.ReadFile(file)
		if err != nil {
			return false, fmt.Errorf("read a state to compare it: %w", err)
		}
		d := json.NewDecoder(bytes.NewReader(raw))
		d.UseNumber() // ids may be larger than a float64 holds
		if d.Decode(&contents[i]) != nil || contents[i]["resources"] == nil {
			return false, nil
		}
		for _, key := range []string{"lineage", "serial", "terraform_version"} {
			delete(contents[i], key)
		}
	}
	return reflect.DeepEqual(contents[0], contents[1]), nil
}
