package jsbridge

import (
	"embed"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall/js"
	"testing"
	"time"
)

// server is the URL of the echo server, ws://…/echo.
var server = os.Getenv("CONNECTSOCKET_ECHO")

//go:embed *.js
var scripts embed.FS

//go:embed testdata/page.js
var pageFile string

var (
	importLine = regexp.MustCompile(`(?s)import (\{.*?\}) from '(\./\w+\.js)';`)
	exportLine = regexp.MustCompile(`(?m)^export (?:const|let|function|class) (\w+)`)
)

// createBridge is the JavaScript half as an expression, whose value is its
// createBridge.
func createBridge() string { return bundle("./bridge.js", "createBridge") }

// bundle is an expression whose value is what a JavaScript module exports under
// a name: each module is a function that returns its exports, called after those
// that it imports.
func bundle(module, name string) string {
	var script strings.Builder
	script.WriteString("(() => { const modules = {};\n")
	var done []string
	var add func(name string)
	add = func(name string) {
		if slices.Contains(done, name) {
			return
		}
		done = append(done, name)
		text, err := scripts.ReadFile(strings.TrimPrefix(name, "./"))
		if err != nil {
			panic(err)
		}
		body := string(text)
		for _, match := range importLine.FindAllStringSubmatch(body, -1) {
			add(match[2])
		}
		var names []string
		for _, match := range exportLine.FindAllStringSubmatch(body, -1) {
			names = append(names, match[1])
		}
		body = importLine.ReplaceAllString(body, "const $1 = modules['$2'];")
		body = regexp.MustCompile(`(?m)^export `).ReplaceAllString(body, "")
		fmt.Fprintf(&script, "modules['%s'] = (() => {\n%s\nreturn { %s };\n})();\n", name, body, strings.Join(names, ", "))
	}
	add(module)
	fmt.Fprintf(&script, "return modules['%s'].%s; })()", module, name)
	return script.String()
}

func TestMain(m *testing.M) {
	if server == "" {
		fmt.Fprintln(os.Stderr, "CONNECTSOCKET_ECHO, the URL of an echo server, is not set: run make test-wasm")
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// page is a bridge of its own, joined to this program, with the scope that
// testdata/page.js describes.
type page struct{ js.Value }

// newPage starts a bridge with settings, a JavaScript object in parentheses or
// empty. When the test ends all its tasks are closed, and nothing may be left
// of them: no task, no slot, no error that the test has not taken from errors.
func newPage(t *testing.T, settings string) page {
	t.Helper()
	p := newWaitingPage(t, settings)
	p.start(t)
	return p
}

// newWaitingPage is newPage before the bridge is started.
func newWaitingPage(t *testing.T, settings string) page {
	if settings == "" {
		settings = "({})"
	}
	p := page{evaluate(pageFile).Invoke(evaluate(createBridge()), evaluate(settings), server)}
	t.Cleanup(func() {
		left, err := await(p.Call("finish"))
		if err != nil {
			t.Fatalf("finish: %v", err)
		}
		if want := `{"tasks":0,"slotsInUse":0,"errors":[]}`; left.String() != want {
			t.Errorf("the page is left with %s, want %s", left, want)
		}
		if set.Len() != 0 || set.Live() != 0 {
			t.Errorf("the set is left with %d tasks, %d of them live", set.Len(), set.Live())
		}
	})
	return p
}

func (p page) start(t *testing.T) {
	t.Helper()
	Start()
	if _, err := await(p.Get("ready")); err != nil {
		t.Fatalf("start the bridge: %v", err)
	}
}

// run runs the body of an async function in the page's scope and decodes what
// it returns.
func run[T any](t *testing.T, p page, body string) (result T) {
	t.Helper()
	value, err := await(p.Call("run", body))
	if err != nil {
		t.Fatalf("%v; so far %s", err, p.Call("log"))
	}
	if err := json.Unmarshal([]byte(value.String()), &result); err != nil {
		t.Fatalf("decode the result %s: %v", value, err)
	}
	return result
}

// expect runs a body that returns lines and compares those.
func expect(t *testing.T, p page, body string, want ...string) {
	t.Helper()
	got := strings.Join(run[[]string](t, p, body), "\n\t")
	if want := strings.Join(want, "\n\t"); got != want {
		t.Errorf("got\n\t%s\nwant\n\t%s", got, want)
	}
}

// evaluate gives the value of a JavaScript expression.
func evaluate(expression string) js.Value { return js.Global().Call("eval", expression) }

// await blocks until a promise is settled.
func await(promise js.Value) (js.Value, error) {
	type settled struct {
		value js.Value
		err   error
	}
	done := make(chan settled, 1)
	resolve := js.FuncOf(func(_ js.Value, args []js.Value) any {
		done <- settled{value: args[0]}
		return nil
	})
	defer resolve.Release()
	reject := js.FuncOf(func(_ js.Value, args []js.Value) any {
		done <- settled{err: fmt.Errorf("rejected: %s", js.Global().Get("String").Invoke(args[0]))}
		return nil
	})
	defer reject.Release()
	promise.Call("then", resolve, reject)
	select {
	case s := <-done:
		return s.value, s.err
	case <-time.After(30 * time.Second):
		return js.Undefined(), fmt.Errorf("still pending after 30 s")
	}
}
