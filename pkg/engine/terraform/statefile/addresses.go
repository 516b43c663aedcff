package statefile

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

func Addresses(file string) (map[string]bool, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the state: %w", err)
	}
	var state struct {
		Resources []struct {
			Module, Mode, Type, Name string
			Instances                []struct {
				Key     json.RawMessage `json:"index_key"`
				Deposed string          `json:"deposed"`
			}
		}
	}
	if err := json.Unmarshal(raw, &state); err != nil {
		return nil, errors.New("read the state: it is not in the form of the tool") // the cause could quote a value
	}
	addresses := map[string]bool{}
	for _, r := range state.Resources {
		address := strings.TrimPrefix(r.Module+"."+r.Type+"."+r.Name, ".")
		for _, i := range r.Instances {
			if r.Mode == "managed" && i.Deposed == "" {
				addresses[address+indexOf(i.Key)] = true
			}
		}
	}
	return addresses, nil
}

// indexOf writes the key of an instance as addresses have it.
func indexOf(key json.RawMessage) string {
	var name string
	switch {
	case len(key) == 0 || string(key) == "null":
		return ""
	case json.Unmarshal(key, &name) == nil:
		return "[" + strconv.Quote(name) + "]"
	}
	return "[" + string(key) + "]"
}
