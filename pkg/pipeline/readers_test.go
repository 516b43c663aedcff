package pipeline_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// rawReads are the functions that see an object of the store before it is verified. A
// record has one reading function, Records.readAttached, and it verifies. Whoever wants to add
// a line here reads something that a writer of the store can make up.
var rawReads = map[string][]string{
	// The store itself.
	"Open": {
		"manager.engineOptions",  // the tool's own state, to see whether it is one
		"aside.digest",           // copies the tool's own state as it is
		"Restorer.storedLineage", // the lineage of the state of another target, which can only refuse
		"Ledger.has",             // whether there is one, whatever it says
		"states.readLock",        // the tool's own lock, which is shown and compared
		"states.read",            // the tool's own state and lock: their counting
		"View.Open",              // hands on what was read once
		"ReadAtMost", "Unseal",   // the two below
	},
	"ReadAtMost":    {"Ledger.entry", "Ledger.write", "readAll"}, // write compares it with what it has written
	"readAll":       {"DecodeReceipt", "Records.readAttached", "UnverifiedReader.readAttached"},
	"Content":       {"Ledger.entry", "UnverifiedReader.readAttached"},         // of a ledger, the last entry is verified next
	"DecodeReceipt": {"Recoverer.open", "Recoverer.openFile", "Rekeyer.opens"}, // what is sealed with it is opened next
	// `unlock`, `state show` and `state list` have no key. What CheckClaim, checkClaimedUnrecorded, checkFormerPath, requestPath,
	// claimedByOther, claimedEvidence, claimedFrom and pathsOf read can refuse a customer, and do nothing else.
	// Rekeyer.registration only chooses the advice, and unreadRenames what an operator, who names
	// both names, records anew.
	"UnverifiedReader": {"CheckClaim", "CheckRequested", "CheckTargetOwner", "NameRecords.checkClaimedUnrecorded", "NameRecords.checkFormerPath", "NameRecords.claimedByOther", "NameRecords.claimedEvidence", "NameRecords.claimedFrom", "NameRecords.requestPath", "Rekeyer.registration", "RenamedTo", "Renamer.unreadRenames", "Unlocker.check", "WhoHolds", "pathsOf"},
}

// TestRawReads lists who reads the store without verifying what it says.
func TestRawReads(t *testing.T) {
	t.Parallel()
	found := map[string]map[string]bool{}
	for _, dir := range append(rooms(t), ".", filepath.Join("..", "cli")) {
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

// rooms are the shipped packages below this one.
func rooms(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var dirs []string
	for _, e := range entries {
		if e.IsDir() && e.Name() != "testdata" && e.Name() != "pipelinetest" {
			dirs = append(dirs, e.Name())
		}
	}
	return dirs
}

// readsOf notes the raw reads of a function.
func readsOf(f *ast.FuncDecl, found map[string]map[string]bool) {
	name := f.Name.Name
	if f.Recv != nil {
		receiver := f.Recv.List[0].Type
		if star, ok := receiver.(*ast.StarExpr); ok {
			receiver = star.X
		}
		if generic, ok := receiver.(*ast.IndexExpr); ok {
			receiver = generic.X
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
				if _, raw := rawReads[fun.Sel.Name]; raw && (fun.Sel.Name != "Open" || len(n.Args) == 2) {
					note(fun.Sel.Name)
				}
			case *ast.Ident:
				if _, raw := rawReads[fun.Name]; raw {
					note(fun.Name)
				}
			}
		case *ast.CompositeLit:
			id, _ := n.Type.(*ast.Ident)
			if of, ok := n.Type.(*ast.SelectorExpr); ok {
				id = of.Sel
			}
			if id != nil && id.Name == "UnverifiedReader" {
				note(id.Name)
			}
		}
		return true
	})
}
