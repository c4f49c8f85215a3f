package main

import (
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"html"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"strings"
)

var exampleHash = regexp.MustCompile(`sha384-(connectsocket\.\w+)`)

// examples serves the files of fsys at /examples/, with their hosts led to this server's own and their hashes
// those of the files in dist. Other files below /examples/ are those of dist, which built serves. The folder itself is a list of
// its pages.
func examples(fsys, dist fs.FS, built http.Handler) http.Handler {
	return http.StripPrefix("/examples", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
		if name == "" {
			listExamples(w, fsys)
			return
		}
		text, err := fs.ReadFile(fsys, name)
		if err != nil {
			built.ServeHTTP(w, r)
			return
		}
		s := ""
		if r.TLS != nil {
			s = "s"
		}
		ws, web := "ws"+s+"://"+r.Host, "http"+s+"://"+r.Host
		here := strings.NewReplacer(
			"wss://echo.example/", ws+"/echo",
			"wss://relay.example/relay", ws+"/relay",
			"wss://ticket.example/", ws+"/ticket/echo",
			"https://ticket.example/", web+"/ticket",
		).Replace(string(text))
		here = exampleHash.ReplaceAllStringFunc(here, func(hash string) string {
			file, err := fs.ReadFile(dist, strings.TrimPrefix(hash, "sha384-"))
			if err != nil {
				return hash // of no file: the page then says so
			}
			sum := sha512.Sum384(file)
			return "sha384-" + base64.StdEncoding.EncodeToString(sum[:])
		})
		header := w.Header()
		if mediaType := types[path.Ext(name)]; mediaType != "" {
			header.Set("Content-Type", mediaType)
		}
		header.Set("Cache-Control", "no-store")
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		header.Set("Cross-Origin-Embedder-Policy", "require-corp")
		fmt.Fprint(w, here)
	}))
}

// listExamples writes a page with a link to each page of fsys.
func listExamples(w http.ResponseWriter, fsys fs.FS) {
	pages, err := fs.Glob(fsys, "*.html")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", types[".html"])
	fmt.Fprint(w, "<!doctype html>\n<title>Examples</title>\n<p>Open one, and see in the console what it logs.</p>\n<ul>\n")
	for _, page := range pages {
		fmt.Fprintf(w, "<li><a href=%q>%[1]s</a></li>\n", html.EscapeString(page))
	}
	fmt.Fprint(w, "</ul>\n")
}
