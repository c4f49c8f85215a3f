package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"connectsocket/internal/relay"
)

// promtool runs Debian's promtool.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.Command("promtool", args...)
	if cmd.Err != nil {
		t.Fatalf("this test needs the package prometheus: %v", cmd.Err)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// TestAlerts holds the alert rules to promtool and to the relay's metrics, and has each of them tested.
func TestAlerts(t *testing.T) {
	promtool(t, "check", "rules", "../../deploy/prometheus/relay.rules.yml")
	promtool(t, "test", "rules", "../../deploy/prometheus/relay.rules.test.yml")
	rules, tests := read(t, "prometheus/relay.rules.yml"), read(t, "prometheus/relay.rules.test.yml")
	alerts := regexp.MustCompile(`(?m)^ +- alert: (\w+)$`).FindAllStringSubmatch(rules, -1)
	if len(alerts) < 5 {
		t.Errorf("only %d alerts", len(alerts))
	}
	for _, a := range alerts {
		if !strings.Contains(tests, "alertname: "+a[1]+"\n") {
			t.Errorf("no test of %s", a[1])
		}
	}
	metricsExist(t, rules)
}

// TestDashboard holds the dashboard's queries to promtool and to the relay's metrics, and its panels to the grid.
func TestDashboard(t *testing.T) {
	var dashboard struct {
		Panels []struct {
			ID      int
			Title   string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr string }
		}
	}
	text := read(t, "grafana/relay.json")
	if err := json.Unmarshal([]byte(text), &dashboard); err != nil {
		t.Fatal(err)
	}
	var exprs []string
	rules := "groups:\n- name: panels\n  rules:\n"
	taken := map[[2]int]string{}
	ids := map[int]bool{}
	for _, p := range dashboard.Panels {
		if ids[p.ID] {
			t.Errorf("%s: the id %d is there twice", p.Title, p.ID)
		}
		ids[p.ID] = true
		for i := range p.GridPos.W * p.GridPos.H {
			at := [2]int{p.GridPos.X + i%p.GridPos.W, p.GridPos.Y + i/p.GridPos.W}
			if taken[at] != "" || at[0] >= 24 {
				t.Fatalf("%s lies over %q or outside", p.Title, taken[at])
			}
			taken[at] = p.Title
		}
		if len(p.Targets) == 0 {
			t.Errorf("%s asks nothing", p.Title)
		}
		for i, target := range p.Targets {
			exprs = append(exprs, target.Expr)
			expr := strings.NewReplacer("$__rate_interval", "5m", "$__range", "6h", "$instance", ".*").Replace(target.Expr)
			rules += fmt.Sprintf("  - record: panel_%d_%d\n    expr: %q\n", p.ID, i, expr)
		}
	}
	if len(exprs) < 10 {
		t.Errorf("only %d queries", len(exprs))
	}
	file := filepath.Join(t.TempDir(), "panels.yml")
	if err := os.WriteFile(file, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, "check", "rules", file)
	metricsExist(t, strings.Join(exprs, "\n")+text[strings.Index(text, "label_values("):])
}

// metricsExist checks that each metric in text, and each outcome and cause asked for, is one that the relay serves.
func metricsExist(t *testing.T, text string) {
	t.Helper()
	r, err := relay.New(relay.Config{})
	if err != nil {
		t.Fatal(err)
	}
	families, err := newRegistry(r).Gather()
	if err != nil {
		t.Fatal(err)
	}
	names, values := map[string]bool{"connectsocket_relay": true}, map[string]bool{}
	for _, f := range families {
		names[f.GetName()] = true
		if f.Metric[0].Histogram != nil {
			names[f.GetName()+"_bucket"] = true
		}
		for _, m := range f.Metric {
			for _, l := range m.Label {
				values[l.GetName()+"="+l.GetValue()] = true
			}
		}
	}
	found := regexp.MustCompile(`\b(?:connectsocket_relay|process|go)_\w+`).FindAllString(text, -1)
	if len(found) < 5 {
		t.Errorf("only %d names of metrics", len(found))
	}
	for _, name := range found {
		if !names[name] {
			t.Errorf("the relay has no metric %s", name)
		}
	}
	for _, m := range regexp.MustCompile(`(outcome|cause)=~?"([^"]+)"`).FindAllStringSubmatch(text, -1) {
		for v := range strings.SplitSeq(m[2], "|") {
			if !values[m[1]+"="+v] {
				t.Errorf("the relay has no %s %s", m[1], v)
			}
		}
	}
}

// read returns a file of deploy.
func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile("../../deploy/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
