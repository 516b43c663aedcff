package cli

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/render"
)

// maxJobOutputs is what the outputs of the infrastructure may have together in bytes:
// GitHub takes 1 MiB for all outputs of a job, counted as UTF-16, and the others need
// some of it.
const maxJobOutputs = 1<<20 - 16<<10

// fitOutputs returns the outputs as JSON (name of the target → name → JSON text) within limit,
// and what had to be left out: the largest first, so that as many as possible stay.
func fitOutputs(all map[string]map[string]string, limit int) (string, []render.LeftOut, error) {
	type output struct {
		render.LeftOut
		value string
		cost  int
	}
	var each []output
	kept, used := map[string]map[string]string{}, 2
	for target, outputs := range all {
		kept[target] = map[string]string{}
		used += utf16Bytes(target) + 20
		for name, value := range outputs {
			text, err := json.Marshal(map[string]string{name: value})
			if err != nil {
				return "", nil, err
			}
			each = append(each, output{render.LeftOut{Target: target, Name: name, Bytes: len(value)}, value, utf16Bytes(string(text))})
		}
	}
	byName := func(a, b render.LeftOut) int {
		if c := strings.Compare(a.Target, b.Target); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	}
	slices.SortFunc(each, func(a, b output) int {
		if a.cost != b.cost {
			return a.cost - b.cost
		}
		return byName(a.LeftOut, b.LeftOut)
	})
	var left []render.LeftOut
	for _, o := range each {
		if used+o.cost > limit {
			left = append(left, o.LeftOut)
			continue
		}
		used += o.cost
		kept[o.Target][o.Name] = o.value
	}
	slices.SortFunc(left, byName)
	text, err := json.Marshal(kept)
	return string(text), left, err
}

func utf16Bytes(s string) int { return 2 * len(utf16.Encode([]rune(s))) }

// warnLeftOut annotates the outputs that are left out.
func (s triggering) warnLeftOut(left []render.LeftOut) error {
	var problems pipeline.Problems
	for _, l := range left {
		message := fmt.Sprintf("the output %s of %s has %d bytes and is left out of the job's outputs, which GitHub limits to 1 MiB", l.Name, l.Target, l.Bytes)
		s.app.logf("%s", message)
		problems = append(problems, pipeline.Problem{
			Rule:    "output-too-large",
			Message: message,
			Warning: true,
			Remedy:  "read it from the payload of the deployment (docs/PATTERNS.md), or let the root module put out less",
		})
	}
	return s.runner.Annotate(problems)
}
