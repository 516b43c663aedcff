package pipeline_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// rawReads are the functions that see an object of the store before it is verified. A
// record has one reading function, records.read, and it verifies. Whoever wants to add
// a line here reads something that a writer of the store can make up.
var rawReads = map[string][]string{
	// The store itself.
	"Open": {
		"Ledger.has",           // whether there is one, whatever it says
		"manager.Lock",         // the tool's own lock, which is shown and compared
		"manager.read",         // the tool's own state and lock: their counting
		"noteLastApply",        // copies a sealed object as it is
		"readAtMost", "unseal", // the two below
	},
	"readAtMost":   {"Ledger.entry", "readAll"},
	"readAll":      {"parseReceipt", "records.read", "unverified.read"},
	"parseReceipt": {"Recoverer.open", "Recoverer.openFile", "Rekeyer.opens", "readReceipt"}, // what is sealed with it is opened next
	// `unlock`, `state show` and `state list` have no key. What CheckClaim and claimedFrom
	// read can refuse a customer, and do nothing else.
	"unverified": {"RenamedTo", "Unlocker.check", "WhoHolds", "checkClaim", "nameRecords.claimedFrom"},
}

// TestRawReads lists who reads the store without verifying what it says.
func TestRawReads(t *testing.T) {
	t.Parallel()
	found := map[string]map[string]bool{}
	for _, dir := range []string{".", filepath.Join("..", "cli")} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			for _, decl := range parsed.Decls {
				if f, ok := decl.(*ast.FuncDecl); ok && f.Body != nil {
					readsOf(f, found)
				}
			}
		}
	}
	for what, callers := range found {
		want := slices.Sorted(slices.Values(rawReads[what]))
		if got := slices.Sorted(maps.Keys(callers)); !slices.Equal(got, want) {
			t.Errorf("%s is used by\n%q, want\n%q", what, got, want)
		}
	}
	if len(found) != len(rawReads) {
		t.Errorf("found %v", found)
	}
}

// readsOf notes the raw reads of a function.
func readsOf(f *ast.FuncDecl, found map[string]map[string]bool) {
	name := f.Name.Name
	if f.Recv != nil {
		receiver := f.Recv.List[0].Type
		if star, ok := receiver.(*ast.StarExpr); ok {
			receiver = star.X
		}
		name = receiver.(*ast.Ident).Name + "." + name
	}
	note := func(what string) {
		if found[what] == nil {
			found[what] = map[string]bool{}
		}
		found[what][name] = true
	}
	ast.Inspect(f.Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			switch fun := n.Fun.(type) {
			case *ast.SelectorExpr:
				if fun.Sel.Name == "Open" && len(n.Args) == 2 {
					note("Open")
				}
			case *ast.Ident:
				if _, raw := rawReads[fun.Name]; raw {
					note(fun.Name)
				}
			}
		case *ast.CompositeLit:
			if id, ok := n.Type.(*ast.Ident); ok && id.Name == "unverified" {
				note("unverified")
			}
		}
		return true
	})
}
