//go:build !js

package task

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const bridge = "../jsbridge/"

// constants returns the exported constants of wire.go by the names that wire.js
// has for them, with their values as JavaScript writes them.
func constants(t *testing.T) map[string]string {
	files := token.NewFileSet()
	wire := parse(t, files, "wire.go")
	config := types.Config{Error: func(error) {}} // what other files declare is not there
	checked, _ := config.Check("task", files, []*ast.File{wire}, nil)
	named := map[string]string{}
	for _, name := range checked.Scope().Names() {
		c, ok := checked.Scope().Lookup(name).(*types.Const)
		if !ok || !c.Exported() {
			continue
		}
		value := c.Val().ExactString()
		if c.Val().Kind() == constant.String {
			value = constant.StringVal(c.Val())
		}
		named[screaming(name)] = value
	}
	return named
}

func parse(t *testing.T, files *token.FileSet, name string) *ast.File {
	t.Helper()
	file, err := parser.ParseFile(files, name, nil, parser.ParseComments)
	if err != nil {
		t.Fatalf("parse %s: %v", name, err)
	}
	return file
}

// screaming gives MAX_TIMER for MaxTimer.
func screaming(name string) string {
	return strings.ToUpper(regexp.MustCompile(`([a-z])([A-Z])`).ReplaceAllString(name, "${1}_$2"))
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var quoted = regexp.MustCompile(`^(?:'([^']*)'|"([^"]*)")$`)

// Every number, text and name of the wire is the same in both halves, and
// neither has one that the other lacks.
func TestTwin(t *testing.T) {
	got := map[string]string{}
	for _, match := range regexp.MustCompile(`(?m)^export const ([A-Z_]+) =\s+([^;]+);`).FindAllStringSubmatch(read(t, bridge+"wire.js"), -1) {
		value := strings.ReplaceAll(match[2], "_", "")
		if text := quoted.FindStringSubmatch(match[2]); text != nil {
			value = text[1] + text[2]
		}
		got[match[1]] = value
	}
	want := constants(t)
	if len(want) < 40 {
		t.Fatalf("only %d constants found in wire.go", len(want))
	}
	names := slices.Sorted(maps.Keys(want))
	for name := range got {
		if _, ok := want[name]; !ok {
			names = append(names, name)
		}
	}
	for _, name := range names {
		if got[name] != want[name] {
			t.Errorf("%s is %q in wire.js, want %q", name, got[name], want[name])
		}
	}
}

// The Go half has the entrances that the wire names, in that order, behind both
// doors.
func TestEntrances(t *testing.T) {
	file := parse(t, token.NewFileSet(), bridge+"bridge_js.go")
	var exports, cases []string
	for _, declaration := range file.Decls {
		f, ok := declaration.(*ast.FuncDecl)
		if !ok {
			continue
		}
		if f.Doc != nil && strings.Contains(f.Doc.List[len(f.Doc.List)-1].Text, "//go:wasmexport "+f.Name.Name) {
			exports = append(exports, f.Name.Name)
		}
		if f.Name.Name != "dispatch" {
			continue
		}
		ast.Inspect(f, func(n ast.Node) bool {
			clause, ok := n.(*ast.CaseClause)
			if !ok || len(clause.List) == 0 {
				return true
			}
			if number := clause.List[0].(*ast.BasicLit).Value; number != fmt.Sprint(len(cases)) {
				t.Errorf("case %s is in the place of %d", number, len(cases))
			}
			ast.Inspect(clause, func(n ast.Node) bool {
				if call, ok := n.(*ast.CallExpr); ok {
					if name, ok := call.Fun.(*ast.Ident); ok {
						cases = append(cases, name.Name)
						return false
					}
				}
				return true
			})
			return false
		})
	}
	want := strings.Fields(Entrances)
	if !slices.Equal(exports, want) {
		t.Errorf("exported are %v, want %v", exports, want)
	}
	if !slices.Equal(cases, want) {
		t.Errorf("dispatched are %v, want %v", cases, want)
	}
}

// The Go half reads the settings that the wire names.
func TestSettings(t *testing.T) {
	text := read(t, bridge+"bridge_js.go")
	from, to := strings.Index(text, "\nfunc configure("), strings.Index(text, "\n// event ")
	if from < 0 || to < from {
		t.Fatal("configure is not before event")
	}
	var got []string
	for _, match := range regexp.MustCompile(`\("(\w+)"\)`).FindAllStringSubmatch(text[from:to], -1) {
		got = append(got, match[1])
	}
	if want := strings.Fields(Settings); !slices.Equal(got, want) {
		t.Errorf("configure reads %v, want %v", got, want)
	}
}
