package strictyaml

import (
	"strings"
)

// pathName writes a path as people do: environments.staging.zones[2].
func pathName(path []string) string {
	if len(path) == 0 {
		return "the file"
	}
	var b strings.Builder
	for i, step := range path {
		switch {
		case isIndex(step):
			b.WriteString("[" + step + "]")
		case i > 0:
			b.WriteString("." + Short(step))
		default:
			b.WriteString(Short(step))
		}
	}
	return b.String()
}

func isIndex(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
