package config

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/strictyaml"
)

// maxCodePatterns bounds what each path of a manager is compared with.
const maxCodePatterns = 100

// code reads the patterns of what plans read in the manager directory.
func (d *decoder) code(v value, to *[]string) {
	d.list(v, func(item value) {
		s, ok := d.text(item)
		if !ok {
			return
		}
		if message := pipeline.BadCodePattern(s); message != "" {
			d.add(item.at, RulePath, fmt.Sprintf("%s is %q, which %s", item.name, strictyaml.Short(s), message),
				`write a path below the manager directory such as "modules" or "data/**/*.json"`)
			return
		}
		*to = append(*to, s)
	})
	if len(*to) > maxCodePatterns {
		d.add(v.at, RuleValue, fmt.Sprintf("%s has %d items; at most %d can be", v.name, len(*to), maxCodePatterns), "name directories in the place of their files")
	}
}

// checkCode demands that the part of each pattern before its first * is in the manager
// directory: what is misspelled would count no more, unnoticed.
func (l *loader) checkCode(n *strictyaml.Node, m pipeline.Manager) {
	list := n.Get("code")
	if list == nil || len(m.Code) == 0 {
		return
	}
	for i, item := range list.Items {
		if item.Kind != strictyaml.String || pipeline.BadCodePattern(item.Text) != "" {
			continue // reported already
		}
		name := pipeline.ParseCodePattern(item.Text).Literal()
		if name == "" {
			continue
		}
		at, _ := n.Locate("code", strconv.Itoa(i))
		at.File = ManagerFile
		_, err := l.root.Stat(filepath.FromSlash(name))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			l.add(at, RuleMissingPath, fmt.Sprintf("code[%d] names %s, which does not exist", i, name), "create it, or correct the path; it is relative to the manager directory")
		case err != nil:
			l.add(at, RulePath, fmt.Sprintf("code[%d] names %s, which cannot be used: %v", i, name, err), "name a file or directory that is no link out of the manager directory")
		}
	}
}
