package main

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestTickets(t *testing.T) {
	all := &tickets{valid: map[string]bool{}}
	ask := func(h http.Handler, target string) (int, string) {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, target, nil))
		return rec.Code, rec.Body.String()
	}
	passed := 0
	door := all.admit(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { passed++ }))

	_, first := ask(all, "/ticket")
	status, second := ask(all, "/ticket")
	if status != http.StatusOK || first == "" || first == second {
		t.Errorf("gave %d %q after %q", status, second, first)
	}
	for _, test := range []struct {
		query string
		want  int
	}{
		{"", 401},
		{"?ticket=", 401},
		{"?ticket=" + first + "x", 401},
		{"?ticket=" + first, 200},
		{"?ticket=" + first, 401}, // once only
		{"?ticket=" + second, 200},
	} {
		if got, _ := ask(door, "/tickets"+test.query); got != test.want {
			t.Errorf("%q: %d, want %d", test.query, got, test.want)
		}
	}
	if passed != 2 || len(all.valid) != 0 {
		t.Errorf("%d passed and %d tickets are left, want 2 and none", passed, len(all.valid))
	}
}
