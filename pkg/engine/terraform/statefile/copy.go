package statefile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
)

// CopyWithSerial copies a state file under another serial.
func CopyWithSerial(from, to string, serial uint64) error {
	content, err := os.ReadFile(filepath.Clean(from))
	if err != nil {
		return err
	}
	var state map[string]json.RawMessage
	if err := json.Unmarshal(content, &state); err != nil {
		return errors.New("the kept state is no JSON") // the error could quote it
	}
	state["serial"] = json.RawMessage(strconv.FormatUint(serial, 10))
	if content, err = json.Marshal(state); err != nil {
		return err
	}
	return os.WriteFile(to, content, 0o600)
}

// SameContent reports whether two states differ in nothing but their counting.
func SameContent(a, b string) (bool, error) {
	var states [2]map[string]any
	for i, file := range []string{a, b} {
		content, err := os.ReadFile(filepath.Clean(file))
		if err != nil {
			return false, fmt.Errorf("read a state: %w", err)
		}
		if len(content) == 0 {
			return false, nil
		}
		decoder := json.NewDecoder(bytes.NewReader(content))
		decoder.UseNumber()
		if err := decoder.Decode(&states[i]); err != nil {
			return false, errors.New("a state is no JSON") // the error could quote it
		}
		delete(states[i], "serial")
		delete(states[i], "terraform_version")
	}
	return reflect.DeepEqual(states[0], states[1]), nil
}
