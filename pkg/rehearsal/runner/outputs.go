package runner

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// maxOutputs bounds a file of outputs: GitHub allows 1 MB per job.
const maxOutputs = 1 << 20

// parseOutputs reads what a step wrote into GITHUB_OUTPUT or GITHUB_ENV: lines
// of the form name=value, and name<<DELIMITER with the value on the lines until
// one that equals the delimiter. A name that comes again wins. The rules are
// those of the runner (GitHub's page "Workflow commands for GitHub Actions",
// multiline strings).
func parseOutputs(text string) (map[string]string, error) {
	out := map[string]string{}
	if len(text) > maxOutputs {
		return nil, fmt.Errorf("the outputs are %d bytes, and at most %d are allowed", len(text), maxOutputs)
	}
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		line := strings.TrimSuffix(lines[i], "\r")
		if line == "" {
			continue
		}
		equals, here := strings.Index(line, "="), strings.Index(line, "<<")
		switch {
		case equals >= 0 && (here < 0 || equals < here):
			if equals == 0 {
				return nil, fmt.Errorf("line %d: an output without a name", i+1)
			}
			out[line[:equals]] = line[equals+1:]
		case here > 0:
			name, delimiter := line[:here], line[here+2:]
			end := endOf(lines, i+1, delimiter)
			if delimiter == "" || end < 0 {
				return nil, fmt.Errorf("line %d: output %q has no line that ends it with its delimiter", i+1, name)
			}
			out[name] = strings.Join(lines[i+1:end], "\n")
			i = end
		default:
			return nil, fmt.Errorf("line %d: want name=value or name<<DELIMITER", i+1)
		}
	}
	return out, nil
}

// endOf finds the line that closes a value, or -1.
func endOf(lines []string, from int, delimiter string) int {
	for i := from; i < len(lines); i++ {
		if strings.TrimSuffix(lines[i], "\r") == delimiter {
			return i
		}
	}
	return -1
}

// readOutputs parses an output file. The step may have deleted it: then there
// are none.
func readOutputs(file string) (map[string]string, error) {
	b, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return map[string]string{}, nil
	}
	if err != nil {
		return nil, err
	}
	return parseOutputs(string(b))
}
