package main

import (
	"fmt"
	"os"
	"strings"
)

// readExpected reads lines of "package test reason". Empty lines and lines that
// begin with # are left out; every skip needs its reason.
func readExpected(path string) (map[testID]string, error) {
	expected := map[testID]string{}
	if path == "" {
		return expected, nil
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the expected skips: %w", err)
	}
	number := 0
	for line := range strings.Lines(string(content)) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Fields(line)
		if len(fields) < 3 {
			return nil, fmt.Errorf("%s:%d: want a package, a test and the reason of its skip", path, number)
		}
		expected[testID{fields[0], fields[1]}] = strings.Join(fields[2:], " ")
	}
	return expected, nil
}
