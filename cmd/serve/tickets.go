package main

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"sync"
)

// tickets are given out one by one and each admits one request. A development server's: it keeps those that nobody uses.
type tickets struct {
	mu    sync.Mutex
	valid map[string]bool
}

// ServeHTTP answers with a new ticket as text, for pages of every origin.
func (t *tickets) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	ticket := rand.Text()
	t.mu.Lock()
	t.valid[ticket] = true
	t.mu.Unlock()
	header := w.Header()
	header.Set("Access-Control-Allow-Origin", "*")
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprint(w, ticket)
}

// admit passes a request on to next if the query has a ticket that was not used before, and else answers 401.
func (t *tickets) admit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ticket := r.URL.Query().Get("ticket")
		t.mu.Lock()
		valid := t.valid[ticket]
		delete(t.valid, ticket)
		t.mu.Unlock()
		if !valid {
			http.Error(w, "no ticket, or a used one", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}
