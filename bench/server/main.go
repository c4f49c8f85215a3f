// Command server is the far end of the benchmark: an echo and a flood that cost next to nothing, and the
// pages, each over a network that is as good as the machine's own or worse. It prints its origins as one
// line of JSON once it accepts connections, and runs until it is killed.
package main

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// A network is what stands between a page and the server.
type network struct {
	name string
	// delay of each response, as of a round trip; the WebSocket's 101 is one.
	delay time.Duration
	// rate at which the server sends, in bytes a second over all connections; 0 is without limit.
	rate int
}

// Slow 4G is what Lighthouse calls so: 150 ms a round trip and 1.6 Mbit/s.
var networks = []network{
	{name: "loopback"},
	{name: "50ms", delay: 50 * time.Millisecond},
	{name: "slow4g", delay: 150 * time.Millisecond, rate: 1_600_000 / 8},
}

func main() {
	dir := flag.String("dir", "bench/build", "`directory` to serve at /")
	flag.Parse()

	origins := map[string]string{}
	failed := make(chan error)
	for _, n := range networks {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			log.Fatal(err)
		}
		origins[n.name] = fmt.Sprint("localhost:", listener.Addr().(*net.TCPAddr).Port)
		mux := http.NewServeMux()
		mux.Handle("GET /", after(n.delay, files(*dir)))
		mux.Handle("GET /echo", after(n.delay, http.HandlerFunc(echo)))
		mux.Handle("GET /flood", after(n.delay, http.HandlerFunc(flood)))
		go func() { failed <- http.Serve(throttle(listener, n.rate), mux) }()
	}
	if err := json.NewEncoder(os.Stdout).Encode(origins); err != nil {
		log.Fatal(err)
	}
	log.Fatal(<-failed)
}

func after(delay time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(delay)
		next.ServeHTTP(w, r)
	})
}

var types = map[string]string{
	".html": "text/html; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".mjs":  "text/javascript; charset=utf-8",
	".wasm": "application/wasm",
}

// files serves dir to cross-origin isolated pages: a file's .br sibling where there is one, unless the path
// begins with /raw/. Pages are fetched each time, all else is cached for good.
func files(dir string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, raw := strings.CutPrefix(path.Clean(r.URL.Path), "/raw/")
		file := filepath.Join(dir, filepath.FromSlash(name))
		header := w.Header()
		body, err := os.ReadFile(file + ".br")
		if err == nil && !raw {
			header.Set("Content-Encoding", "br")
		} else if body, err = os.ReadFile(file); err != nil {
			http.NotFound(w, r)
			return
		}
		caching := "max-age=31536000, immutable"
		if path.Ext(name) == ".html" {
			caching = "no-store"
		}
		header.Set("Cache-Control", caching)
		header.Set("Content-Type", cmp.Or(types[path.Ext(name)], "application/octet-stream"))
		header.Set("Content-Length", fmt.Sprint(len(body)))
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		header.Set("Cross-Origin-Embedder-Policy", "require-corp")
		w.Write(body)
	})
}
