package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"
)

// types are the media types that must not depend on the system's tables.
var types = map[string]string{
	".css":  "text/css; charset=utf-8",
	".html": "text/html; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".json": "application/json",
	".map":  "application/json",
	".mjs":  "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
	".ts":   "text/plain; charset=utf-8",
	".wasm": "application/wasm",
}

// codings are the content codings served, the preferred first, and how their files are named.
var codings = []struct{ name, ext string }{{"br", ".br"}, {"gzip", ".gz"}, {"identity", ""}}

// files serves what is in fsys: a file, or its .br or .gz sibling where the client prefers that and it is
// no older; for a directory its index.html; for / without one the playground. Answers are to be
// revalidated by a strong ETag, a hash of their content, and pages are cross-origin isolated. Files are
// read for each request, so that a new build shows at once.
func files(fsys fs.FS) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		header.Set("Cross-Origin-Embedder-Policy", "require-corp")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")

		name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
		if strings.HasSuffix(r.URL.Path, "/") {
			name = path.Join(name, "index.html")
		}
		info, err := fs.Stat(fsys, name)
		switch {
		case err == nil && info.IsDir():
			redirect(w, r, "/"+name+"/")
			return
		case r.URL.Path == "/" && errors.Is(err, fs.ErrNotExist):
			redirect(w, r, "/playground/")
			return
		case err != nil:
			http.NotFound(w, r)
			return
		}

		coding, coded := "identity", name
		accept, best := strings.Join(r.Header.Values("Accept-Encoding"), ","), 0.0
		for _, c := range codings {
			q := weight(accept, c.name)
			if q <= best {
				continue
			}
			sibling, err := fs.Stat(fsys, name+c.ext)
			if err == nil && !sibling.ModTime().Before(info.ModTime()) {
				coding, coded, best = c.name, name+c.ext, q
			}
		}
		body, err := fs.ReadFile(fsys, coded)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		if coding != "identity" {
			header.Set("Content-Encoding", coding)
		}
		ext := path.Ext(name)
		header.Set("Content-Type", cmp.Or(types[ext], mime.TypeByExtension(ext), "application/octet-stream"))
		header.Set("Vary", "Accept-Encoding")
		header.Set("Cache-Control", "no-cache")
		header.Set("ETag", fmt.Sprintf(`"%x"`, sha256.Sum256(body)))
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(body))
	})
}

// redirect sends the client to another path, with its query.
func redirect(w http.ResponseWriter, r *http.Request, to string) {
	target := url.URL{Path: to, RawQuery: r.URL.RawQuery}
	http.Redirect(w, r, target.String(), http.StatusFound)
}

// weight is the q-value that an Accept-Encoding header gives a coding by its name or else by *, 0 where it
// gives none (RFC 9110 section 12.5.3).
func weight(accept, coding string) float64 {
	var others float64
	for item := range strings.SplitSeq(accept, ",") {
		name, param, _ := strings.Cut(strings.ToLower(item), ";")
		q := 1.0
		if value, ok := strings.CutPrefix(strings.TrimSpace(param), "q="); ok {
			q, _ = strconv.ParseFloat(value, 64) // unreadable: 0, not acceptable
		}
		switch strings.TrimSpace(name) {
		case coding:
			return q
		case "*":
			others = q
		}
	}
	return others
}
