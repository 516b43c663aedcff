// Structure prints how the files of each package hang together: how many there are,
// how many uses lead from one file to another (counted once for each pair of files),
// and the size of the largest set of files in which each leads to each other. Run it in
// the root of the repository.
package main

import (
	"fmt"
	"go/types"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"golang.org/x/tools/go/packages"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	mode := packages.NeedName | packages.NeedFiles | packages.NeedSyntax | packages.NeedTypes | packages.NeedTypesInfo | packages.NeedImports | packages.NeedDeps
	list, err := packages.Load(&packages.Config{Mode: mode}, "./pkg/...")
	if err != nil {
		return err
	}
	if packages.PrintErrors(list) > 0 {
		return fmt.Errorf("the packages do not compile")
	}
	slices.SortFunc(list, func(a, b *packages.Package) int { return strings.Compare(a.PkgPath, b.PkgPath) })
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(out, "package\tfiles\tuses\tlargest set\t")
	files, edges, largest := 0, 0, 0
	for _, p := range list {
		if strings.Contains(p.PkgPath, "/pkg/acceptance/") {
			continue // tests
		}
		uses := usesOf(p)
		pairs := 0
		for _, targets := range uses {
			pairs += len(targets)
		}
		set := largestSet(uses)
		files, edges, largest = files+len(p.Syntax), edges+pairs, max(largest, set)
		_, name, _ := strings.Cut(p.PkgPath, "/pkg/")
		fmt.Fprintf(out, "%s\t%d\t%d\t%d\t\n", name, len(p.Syntax), pairs, set)
	}
	fmt.Fprintf(out, "all\t%d\t%d\t%d\t\n", files, edges, largest)
	return out.Flush()
}

// usesOf returns the files that each file of a package uses a declaration of.
func usesOf(p *packages.Package) map[string]map[string]bool {
	uses := map[string]map[string]bool{}
	file := func(o types.Object) string { return filepath.Base(p.Fset.Position(o.Pos()).Filename) }
	for id, o := range p.TypesInfo.Uses {
		if o.Pkg() != p.Types || !o.Pos().IsValid() {
			continue
		}
		from, to := filepath.Base(p.Fset.Position(id.Pos()).Filename), file(o)
		if from == to {
			continue
		}
		if uses[from] == nil {
			uses[from] = map[string]bool{}
		}
		uses[from][to] = true
	}
	return uses
}

// largestSet is the size of the largest strongly connected set of more than one file;
// 1 where there is none.
func largestSet(uses map[string]map[string]bool) int {
	reach := map[string]map[string]bool{}
	for from := range uses {
		reach[from] = map[string]bool{}
		open := []string{from}
		for len(open) > 0 {
			next := open[len(open)-1]
			open = open[:len(open)-1]
			for to := range uses[next] {
				if !reach[from][to] {
					reach[from][to] = true
					open = append(open, to)
				}
			}
		}
	}
	largest := 1
	for a := range reach {
		set := 0
		for b := range reach[a] {
			if reach[b][a] {
				set++
			}
		}
		largest = max(largest, set)
	}
	return largest
}
