package provision

import (
	"fmt"
	"strconv"
	"strings"
)

// VersionRange writes a version constraint of Terraform as Spacelift reads it: ranges of
// github.com/blang/semver, which know no ~> and no version without its three numbers. An empty constraint is empty:
// then Spacelift takes its newest version.
func VersionRange(constraint string) (string, error) {
	if strings.TrimSpace(constraint) == "" {
		return "", nil
	}
	var parts []string
	for one := range strings.SplitSeq(constraint, ",") {
		part, err := versionPart(strings.TrimSpace(one))
		if err != nil {
			return "", fmt.Errorf("the version constraint %q: %w", constraint, err)
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, " "), nil
}

func versionPart(one string) (string, error) {
	operator := one[:len(one)-len(strings.TrimLeft(one, "=!<>~ "))]
	text := strings.TrimPrefix(one[len(operator):], "v")
	operator = strings.TrimSpace(operator)
	numbers, suffix, _ := strings.Cut(text, "-")
	if suffix != "" {
		suffix = "-" + suffix
	}
	segments := strings.Split(numbers, ".")
	if len(segments) > 3 {
		return "", fmt.Errorf("%q has more than three numbers", one)
	}
	n := [3]uint64{}
	for i, s := range segments {
		v, err := strconv.ParseUint(s, 10, 32)
		if err != nil {
			return "", fmt.Errorf("%q is not a version", one)
		}
		n[i] = v
	}
	version := fmt.Sprintf("%d.%d.%d%s", n[0], n[1], n[2], suffix)
	switch operator {
	case "", "=":
		return version, nil
	case "!=", ">", ">=", "<", "<=":
		return operator + version, nil
	case "~>":
		next := fmt.Sprintf("%d.%d.0", n[0], n[1]+1)
		if len(segments) < 3 {
			next = fmt.Sprintf("%d.0.0", n[0]+1)
		}
		return ">=" + version + " <" + next, nil
	}
	return "", fmt.Errorf("%q begins with an operator that is not known", one)
}
