package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

func TestExamples(t *testing.T) {
	pages := fstest.MapFS{
		"a.html": {Data: []byte(`wss://echo.example/?a wss://relay.example/relay https://ticket.example/ wss://ticket.example/?b sha384-connectsocket.mjs`)},
	}
	dist := fstest.MapFS{"connectsocket.mjs": {Data: []byte("built")}}
	handler := examples(pages, dist, files(dist))
	get := func(path string) (string, string) {
		t.Helper()
		rec := httptest.NewRecorder()
		handler.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "http://here:1"+path, nil))
		if rec.Code != http.StatusOK {
			t.Errorf("GET %s: %d", path, rec.Code)
		}
		return rec.Body.String(), rec.Header().Get("Content-Type")
	}

	const hash = "sha384-rIhspWv1zKHKFTcGME4f6JmMUcOfB9YRwc0YUHtIntlGT26ewAKr3Sc/2OmiqdWS"
	want := "ws://here:1/echo?a ws://here:1/relay http://here:1/ticket ws://here:1/ticket/echo?b " + hash
	if body, mediaType := get("/examples/a.html"); body != want || mediaType != types[".html"] {
		t.Errorf("the page is %q of type %q, want %q", body, mediaType, want)
	}
	if body, mediaType := get("/examples/connectsocket.mjs"); body != "built" || mediaType != types[".mjs"] {
		t.Errorf("the script is %q of type %q", body, mediaType)
	}
	if body, _ := get("/examples/"); !strings.Contains(body, `<a href="a.html">a.html</a>`) {
		t.Errorf("the list is %q", body)
	}
}
