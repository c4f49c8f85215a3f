package echo

import (
	"encoding/json"
	"net/http"
	"slices"
	"sync"
)

// A report is what the server saw of one connection. It is written by that connection's goroutine alone
// and may be read once ended is closed.
type report struct {
	Header   http.Header `json:"header"`
	Protocol string      `json:"protocol"`
	Opened   bool        `json:"opened"`
	Messages int         `json:"messages"`
	Code     int         `json:"code"`
	Reason   string      `json:"reason"`

	id    string
	ended chan struct{}
}

// maxReports bounds the memory that reports take.
const maxReports = 256

// reports are the newest connections that have an id, oldest first.
type reports struct {
	mu   sync.Mutex
	list []*report
}

func (rs *reports) add(rep *report) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if len(rs.list) == maxReports {
		rs.list = slices.Delete(rs.list, 0, 1)
	}
	rs.list = append(rs.list, rep)
}

// find returns the newest report of that id, nil if there is none.
func (rs *reports) find(id string) *report {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	for _, rep := range slices.Backward(rs.list) {
		if rep.id == id {
			return rep
		}
	}
	return nil
}

// serve answers with the report of that id, once its connection has ended.
func (rs *reports) serve(w http.ResponseWriter, r *http.Request, id string) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.Header().Set("Cache-Control", "no-store")
	rep := rs.find(id)
	if rep == nil {
		http.NotFound(w, r)
		return
	}
	select {
	case <-rep.ended:
	case <-r.Context().Done():
		http.Error(w, "server stopping", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(rep) // an error here means that nobody reads any more
}
