package relay

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// TestSeries has all series there before anything has happened.
func TestSeries(t *testing.T) {
	r, err := New(Config{MaxConns: 7})
	if err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(r)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	series := map[string]int{}
	for _, f := range families {
		name := strings.TrimPrefix(f.GetName(), "connectsocket_relay_")
		series[name] = len(f.Metric)
		if name == "max_connections" && f.Metric[0].Gauge.GetValue() != 7 {
			t.Error("the limit is ", f.Metric[0].Gauge.GetValue())
		}
	}
	for name, want := range map[string]int{
		"connections": 1, "handshakes_total": len(outcomes), "handshake_seconds": len(outcomes), "ends_total": len(causes), "connection_seconds": len(causes),
		"bytes_total": 2, "messages_total": 2, "crowded_total": 1, "descriptors_exhausted_total": 1, "upstreams_loaded": 1, "max_message_bytes": 1,
	} {
		if series[name] != want {
			t.Errorf("%s has %d series, want %d", name, series[name], want)
		}
	}
	readme, err := os.ReadFile("../../deploy/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for name := range series {
		if !strings.Contains(string(readme), "`"+name) {
			t.Errorf("deploy/README.md does not explain %s", name)
		}
	}
	for _, o := range outcomes {
		if !strings.Contains(string(readme), "`"+o+"`") {
			t.Errorf("deploy/README.md does not name the outcome %s", o)
		}
	}
}

// TestOutcomes holds the lists of outcomes and causes to the sources.
func TestOutcomes(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	said, listed := map[string]bool{"open": true}, map[string]bool{}
	for _, list := range [][]string{outcomes, causes} {
		for _, s := range list {
			if listed[s] {
				t.Errorf("%s is listed twice", s)
			}
			listed[s] = true
		}
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?:outcome: |about\(|p\.end\()"([a-z_]+)"|return "([a-z]+)", "|"(page_[a-z]+)", "(upstream_[a-z]+)"}\[`).FindAllStringSubmatch(string(b), -1) {
			for _, s := range m[1:] {
				if s != "" {
					said[s] = true
				}
			}
		}
	}
	for _, s := range slices.Sorted(maps.Keys(listed)) {
		if !said[s] {
			t.Errorf("%s is listed, and nowhere said", s)
		}
	}
	for _, s := range slices.Sorted(maps.Keys(said)) {
		if !listed[s] {
			t.Errorf("%s is not listed", s)
		}
	}
}
