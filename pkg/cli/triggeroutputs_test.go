package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

type byEnvironment = map[string]map[string]string

// TestOutputsFit: what GitHub has no room for is left out by name, the largest first, and
// the rest stays.
func TestOutputsFit(t *testing.T) {
	t.Parallel()
	kib := func(n int) string { return `"` + strings.Repeat("x", n<<10) + `"` }
	for name, c := range map[string]struct {
		all  byEnvironment
		left []string
	}{
		"none":               {nil, nil},
		"small":              {byEnvironment{"staging": {"url": `"u"`}, "live": {}}, nil},
		"one is too large":   {byEnvironment{"staging": {"big": kib(1500), "url": `"u"`}, "live": {"url": `"v"`}}, []string{"staging/big"}},
		"together too large": {byEnvironment{"staging": {"a": kib(200), "b": kib(201)}, "live": {"c": kib(202)}}, []string{"live/c"}},
		"UTF-16 counts":      {byEnvironment{"staging": {"big": kib(600), "url": `"u"`}}, []string{"staging/big"}},
		"escapes count":      {byEnvironment{"staging": {"big": strings.Repeat("<", 100<<10)}}, []string{"staging/big"}},
		"all are too large":  {byEnvironment{"staging": {"a": kib(2000), "b": kib(3000)}}, []string{"staging/a", "staging/b"}},
	} {
		text, left, err := fitOutputs(c.all, maxJobOutputs)
		var kept byEnvironment
		if err != nil || json.Unmarshal([]byte(text), &kept) != nil || utf16Bytes(text) > 1<<20 {
			t.Fatalf("%s: %v, %d bytes", name, err, utf16Bytes(text))
		}
		var names []string
		for _, l := range left {
			names = append(names, l.Target+"/"+l.Name)
			if _, there := kept[l.Target][l.Name]; there {
				t.Errorf("%s: %s is there", name, l.Name)
			}
		}
		if strings.Join(names, " ") != strings.Join(c.left, " ") || len(kept) != len(c.all) {
			t.Errorf("%s: left out %v, want %v; %d environments", name, names, c.left, len(kept))
		}
		for env, outputs := range kept {
			for name, value := range outputs {
				if c.all[env][name] != value {
					t.Errorf("%s of %s changed", name, env)
				}
			}
		}
	}
}

// TestOutputsOfManyEnvironments: with sixty environments the output keeps under what GitHub
// takes, in UTF-16, and what has no room is named once for each output.
func TestOutputsOfManyEnvironments(t *testing.T) {
	t.Parallel()
	for _, unit := range []string{"word", "日本語", "👩‍🚀"} {
		all, count := map[string]map[string]string{}, 0
		for e := range 60 {
			outputs := map[string]string{}
			for n := range 40 {
				outputs[fmt.Sprintf("output_%02d", n)] = `"` + strings.Repeat(unit, 300) + `"`
				count++
			}
			all[fmt.Sprintf("environment-%02d", e)] = outputs
		}
		text, left, err := fitOutputs(all, maxJobOutputs)
		if err != nil || utf16Bytes(text) > maxJobOutputs || len(left) == 0 {
			t.Fatalf("%v: %d bytes, %d left out", err, utf16Bytes(text), len(left))
		}
		var kept map[string]map[string]string
		if err := json.Unmarshal([]byte(text), &kept); err != nil {
			t.Fatal(err)
		}
		shown := 0
		for _, outputs := range kept {
			shown += len(outputs)
		}
		if shown+len(left) != count {
			t.Errorf("%d shown and %d left out of %d", shown, len(left), count)
		}
	}
}
