package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/fstest"
	"time"
)

// get asks a server of fsys for target, with request headers as name, value pairs, and returns the answer
// without following a redirect, and its body as it went over the wire.
func get(t *testing.T, fsys fstest.MapFS, method, target string, header ...string) (*http.Response, string) {
	t.Helper()
	req := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	files(fsys).ServeHTTP(rec, req)
	res := rec.Result()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

// has fails the test unless the answer has these headers, given as name, value pairs; "" is for none.
func has(t *testing.T, res *http.Response, header ...string) {
	t.Helper()
	for i := 0; i < len(header); i += 2 {
		if got := res.Header.Get(header[i]); got != header[i+1] {
			t.Errorf("%s: %q, want %q", header[i], got, header[i+1])
		}
	}
}

func file(content string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(content)} }

func TestTypes(t *testing.T) {
	for name, want := range map[string]string{
		"connectsocket.wasm": "application/wasm",
		"connectsocket.js":   "text/javascript; charset=utf-8",
		"connectsocket.mjs":  "text/javascript; charset=utf-8",
		"connectsocket.d.ts": "text/plain; charset=utf-8",
		"a/page.html":        "text/html; charset=utf-8",
		"style.css":          "text/css; charset=utf-8",
		"icon.svg":           "image/svg+xml",
		"package.json":       "application/json",
		"bundle.js.map":      "application/json",
		"icon.png":           "image/png",
		"LICENSE":            "application/octet-stream",
		"nothing.unheardof":  "application/octet-stream",
	} {
		res, body := get(t, fstest.MapFS{name: file("content")}, "GET", "/"+name)
		if res.StatusCode != http.StatusOK || body != "content" {
			t.Errorf("%s: %s %q", name, res.Status, body)
		}
		has(t, res,
			"Content-Type", want,
			"Cache-Control", "no-cache",
			"Cross-Origin-Opener-Policy", "same-origin",
			"Cross-Origin-Embedder-Policy", "require-corp",
			"Cross-Origin-Resource-Policy", "same-origin",
		)
	}
}

func TestCompressed(t *testing.T) {
	both := fstest.MapFS{"a.wasm": file("plain"), "a.wasm.br": file("brotli"), "a.wasm.gz": file("gzip")}
	for _, test := range []struct {
		fsys   fstest.MapFS
		accept string
		coding string
		body   string
	}{
		{both, "", "", "plain"},
		{both, "gzip, deflate, br, zstd", "br", "brotli"},
		{both, "BR", "br", "brotli"},
		{both, "gzip", "gzip", "gzip"},
		{both, "gzip;q=1.0, br;q=0.9", "gzip", "gzip"},
		{both, "gzip ; q=0.5 , br ; q=0.5", "br", "brotli"},
		{both, "gzip;q=0.001", "gzip", "gzip"},
		{both, "br;q=0, gzip;q=0", "", "plain"},
		{both, "br;q=0, *", "gzip", "gzip"},
		{both, "*", "br", "brotli"},
		{both, "*;q=0", "", "plain"},
		{both, "identity, br;q=0.5", "", "plain"},
		{both, "identity;q=0.5, gzip", "gzip", "gzip"},
		{both, "br;q=lots, gzip;q=0.1", "gzip", "gzip"},
		{both, "deflate, zstd", "", "plain"},
		{both, "brotli", "", "plain"},
		{fstest.MapFS{"a.wasm": file("plain")}, "br, gzip", "", "plain"},
		{fstest.MapFS{"a.wasm": file("plain"), "a.wasm.gz": file("gzip")}, "br, gzip;q=0.5", "gzip", "gzip"},
		{fstest.MapFS{ // older than what it was made of
			"a.wasm":    {Data: []byte("plain"), ModTime: time.Unix(1e9, 0)},
			"a.wasm.br": {Data: []byte("brotli"), ModTime: time.Unix(1e9-1, 0)},
			"a.wasm.gz": {Data: []byte("gzip"), ModTime: time.Unix(1e9, 0)},
		}, "br, gzip", "gzip", "gzip"},
	} {
		t.Run(test.accept, func(t *testing.T) {
			res, body := get(t, test.fsys, "GET", "/a.wasm", "Accept-Encoding", test.accept)
			if body != test.body {
				t.Errorf("body %q, want %q", body, test.body)
			}
			has(t, res,
				"Content-Encoding", test.coding,
				"Content-Type", "application/wasm",
				"Vary", "Accept-Encoding",
			)
		})
	}

	res, body := get(t, both, "GET", "/a.wasm", "Accept-Encoding", "gzip", "Accept-Encoding", "br;q=0.5")
	if body != "gzip" {
		t.Errorf("header on two lines: body %q, want gzip", body)
	}
	has(t, res, "Content-Encoding", "gzip")

	res, body = get(t, both, "GET", "/a.wasm.br", "Accept-Encoding", "br")
	if body != "brotli" {
		t.Errorf("asked for by its own name: body %q, want brotli", body)
	}
	has(t, res, "Content-Encoding", "", "Content-Type", "application/octet-stream")
}

func TestRevalidation(t *testing.T) {
	fsys := fstest.MapFS{"a.js": file("one"), "a.js.br": file("brotli")}
	seen := map[string]bool{}
	for _, accept := range []string{"identity", "br"} {
		res, _ := get(t, fsys, "GET", "/a.js", "Accept-Encoding", accept)
		tag := res.Header.Get("ETag")
		if len(tag) < 3 || tag[0] != '"' || seen[tag] {
			t.Errorf("%s: ETag %s, want a strong one of its own", accept, tag)
		}
		seen[tag] = true

		res, body := get(t, fsys, "GET", "/a.js", "Accept-Encoding", accept, "If-None-Match", `"x", `+tag)
		if res.StatusCode != http.StatusNotModified || body != "" {
			t.Errorf("%s: %s %q, want 304", accept, res.Status, body)
		}
		has(t, res, "ETag", tag, "Vary", "Accept-Encoding", "Cache-Control", "no-cache")
	}

	res, _ := get(t, fsys, "GET", "/a.js")
	fsys["a.js"] = file("two")
	res, body := get(t, fsys, "GET", "/a.js", "If-None-Match", res.Header.Get("ETag"))
	if res.StatusCode != http.StatusOK || body != "two" {
		t.Errorf("changed content: %s %q, want 200 and the new one", res.Status, body)
	}
}

func TestHeadAndRange(t *testing.T) {
	fsys := fstest.MapFS{"a.txt": file("0123456789")}
	res, body := get(t, fsys, "HEAD", "/a.txt")
	if res.StatusCode != http.StatusOK || body != "" {
		t.Errorf("HEAD: %s %q, want 200 without a body", res.Status, body)
	}
	has(t, res, "Content-Length", "10", "Accept-Ranges", "bytes")
	tag := res.Header.Get("ETag")

	res, body = get(t, fsys, "GET", "/a.txt", "Range", "bytes=2-4", "If-Range", tag)
	if res.StatusCode != http.StatusPartialContent || body != "234" {
		t.Errorf("range: %s %q, want 206 and 234", res.Status, body)
	}
	has(t, res, "Content-Range", "bytes 2-4/10", "Content-Length", "3")

	res, body = get(t, fsys, "GET", "/a.txt", "Range", "bytes=2-4", "If-Range", `"other"`)
	if res.StatusCode != http.StatusOK || body != "0123456789" {
		t.Errorf("range of a former content: %s %q, want 200 and all", res.Status, body)
	}
	res, _ = get(t, fsys, "GET", "/a.txt", "Range", "bytes=10-")
	if res.StatusCode != http.StatusRequestedRangeNotSatisfiable {
		t.Errorf("range beyond the end: %s, want 416", res.Status)
	}
}

func TestDirectories(t *testing.T) {
	playgroundOnly := fstest.MapFS{"playground/index.html": file("play"), "empty/a.txt": file("a")}
	withIndex := fstest.MapFS{"playground/index.html": file("play"), "index.html": file("home")}
	for _, test := range []struct {
		fsys     fstest.MapFS
		target   string
		status   int
		location string
		body     string
	}{
		{withIndex, "/", 200, "", "home"},
		{withIndex, "/index.html", 200, "", "home"},
		{playgroundOnly, "/", 302, "/playground/", ""},
		{playgroundOnly, "/?url=ws://x", 302, "/playground/?url=ws://x", ""},
		{playgroundOnly, "/playground", 302, "/playground/", ""},
		{playgroundOnly, "/playground?a=b", 302, "/playground/?a=b", ""},
		{playgroundOnly, "/playground/", 200, "", "play"},
		{playgroundOnly, "/empty/", 404, "", "404 page not found\n"},
		{fstest.MapFS{}, "/playground/", 404, "", "404 page not found\n"},
	} {
		res, body := get(t, test.fsys, "GET", test.target)
		if res.StatusCode != test.status {
			t.Errorf("%s: %s, want %d", test.target, res.Status, test.status)
		}
		if test.status != 302 && body != test.body {
			t.Errorf("%s: body %q, want %q", test.target, body, test.body)
		}
		has(t, res, "Location", test.location)
	}
}
