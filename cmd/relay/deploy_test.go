package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

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

// TestUnit holds the systemd unit, alone and with TLS of its own, to systemd and to the relay's settings.
func TestUnit(t *testing.T) {
	unit, dropIn := read(t, "relay.service"), read(t, "relay-tls.conf")
	for name, files := range map[string]map[string]string{
		"alone":    {"relay.service": unit},
		"with TLS": {"relay.service": unit, "relay.service.d/tls.conf": dropIn},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, text := range files {
				text = strings.Replace(text, "ExecStart=/usr/local/bin/relay", "ExecStart="+os.Args[0], 1)
				os.MkdirAll(filepath.Dir(filepath.Join(dir, file)), 0o755)
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			for _, args := range [][]string{{"verify", "--man=no"}, {"security", "--offline=true", "--threshold=20", "--no-pager"}} {
				cmd := exec.Command("systemd-analyze", append(args, filepath.Join(dir, "relay.service"))...)
				if cmd.Err != nil {
					t.Fatalf("this test needs the package systemd: %v", cmd.Err)
				}
				out, err := cmd.CombinedOutput()
				if err != nil || args[0] == "verify" && strings.Contains(string(out), dir) { // it only warns of a name that it does not know
					t.Errorf("systemd-analyze %s: %v\n%s", args[0], err, out)
				}
			}
		})
	}
	// What the drop-in sets are settings, and they lead to the credentials that it loads.
	_, environ, _ := strings.Cut(dropIn, "\nEnvironment=")
	environ, _, _ = strings.Cut(environ, "\n")
	o, err := parse(nil, strings.Fields(environ), io.Discard)
	if err != nil || len(o.unknown) > 0 || o.listen != ":443" {
		t.Fatalf("%+v, %v", o, err)
	}
	for _, file := range []string{o.tlsCert, o.tlsKey} {
		name, ok := strings.CutPrefix(file, "%d/")
		if !ok || !strings.Contains(dropIn, "\nLoadCredential="+name+":/") {
			t.Errorf("%s is not loaded", file)
		}
	}
}

// TestDockerfile runs the commands of the Dockerfile's build stage, with what the .dockerignore leaves of the repository.
func TestDockerfile(t *testing.T) {
	stage, rest, ok := strings.Cut(read(t, "Dockerfile"), "\nFROM gcr.io/")
	if !ok {
		t.Fatal("there is no second stage")
	}
	context, source, out := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "relay")
	for line := range strings.Lines(read(t, "Dockerfile.dockerignore")) {
		name, ok := strings.CutPrefix(strings.TrimSpace(line), "!")
		if !ok {
			continue
		}
		from, to := filepath.Join("../..", name), filepath.Join(context, name)
		if fi, err := os.Stat(from); err == nil && fi.IsDir() {
			copyInto(t, from+"/.", to)
		} else {
			copyInto(t, from, to)
		}
	}
	ran := 0
	for line := range strings.Lines(stage) {
		command, args, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch command {
		case "FROM":
			if want := "golang:" + strings.Join(strings.Split(strings.TrimPrefix(runtime.Version(), "go"), ".")[:2], ".") + " AS build"; args != want {
				t.Errorf("built by %s, here by %s", args, want)
			}
		case "WORKDIR":
		case "COPY":
			names := strings.Fields(args)
			to := filepath.Join(source, names[len(names)-1])
			for _, name := range names[:len(names)-1] {
				from := filepath.Join(context, name)
				fi, err := os.Stat(from)
				if err != nil {
					t.Fatalf("COPY %s: %v", args, err)
				}
				if fi.IsDir() {
					from += "/."
				}
				copyInto(t, from, to)
			}
		case "RUN":
			cmd := exec.Command("sh", "-c", strings.Replace(args, "-o /relay ", "-o "+out+" ", 1))
			cmd.Dir = source
			if b, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%s: %v\n%s", args, err, b)
			}
			ran++
		default:
			if command != "" && command != "#" {
				t.Errorf("unknown: %s", command)
			}
		}
	}
	if b, err := exec.Command(out, "-version").Output(); err != nil || !strings.HasPrefix(string(b), "relay ") || ran != 2 {
		t.Errorf("after %d commands the relay says %q, %v", ran, b, err)
	}
	for _, want := range []string{"COPY --from=build /relay /relay\n", `ENTRYPOINT ["/relay"]`} {
		if !strings.Contains(rest, want) {
			t.Errorf("the second stage lacks %s", want)
		}
	}
}

// TestKubernetes has the manifests accord with the relay: its settings, its ports, and the times of its end. make check holds
// them to the schemas.
func TestKubernetes(t *testing.T) {
	deployment := read(t, "kubernetes/deployment.yaml")
	var environ []string
	for _, m := range regexp.MustCompile(`\{ name: (RELAY_\w+), value: '?([^'}]+?)'? \}`).FindAllStringSubmatch(deployment, -1) {
		environ = append(environ, m[1]+"="+m[2])
	}
	if len(environ) != strings.Count(deployment, "name: RELAY_") {
		t.Fatalf("of the variables only %q are read", environ)
	}
	o, err := parse(nil, environ, io.Discard)
	if err != nil || len(o.unknown) > 0 {
		t.Fatalf("%+v, %v", o, err)
	}
	number := func(file, what string) int {
		t.Helper()
		m := regexp.MustCompile(what).FindStringSubmatch(read(t, file))
		if m == nil {
			t.Fatalf("%s has no %s", file, what)
		}
		n, _ := strconv.Atoi(m[1])
		return n
	}
	gives := number("kubernetes/deployment.yaml", `terminationGracePeriodSeconds: (\d+)`)
	pause := number("kubernetes/deployment.yaml", `sleep: \{ seconds: (\d+) \}`)
	takes := time.Duration(pause)*time.Second + o.drainDelay + o.drain + 2*time.Second
	if left := time.Duration(gives)*time.Second - takes; left < 2*time.Second || left > 10*time.Second {
		t.Errorf("of %d s the end takes %v", gives, takes)
	}
	// The ingress stops sending before the relay refuses: a failed probe is not waited for.
	if pause < 3 && o.drainDelay < 3*time.Second {
		t.Error("the relay refuses pages that the ingress still sends")
	}
	if scale := number("kubernetes/autoscaler.yaml", `periodSeconds: (\d+)`); scale < gives {
		t.Errorf("the autoscaler takes the next relay after %d s, within the drain of the last", scale)
	}
	if held := number("kubernetes/autoscaler.yaml", `averageValue: '(\d+)'`); held*100/o.MaxConns < 40 || held*100/o.MaxConns > 80 {
		t.Errorf("more relays at %d of %d connections", held, o.MaxConns)
	}
	metricsExist(t, read(t, "kubernetes/autoscaler.yaml"))
	for name, addr := range map[string]string{"http": o.listen, "metrics": o.metrics} {
		port := addr[strings.LastIndex(addr, ":"):][1:]
		if !strings.Contains(deployment, "{ name: "+name+", containerPort: "+port+" }") || !strings.Contains(read(t, "kubernetes/network.yaml"), "{ port: "+name+", ") {
			t.Errorf("the port %s is not that of %s", name, addr)
		}
		if !regexp.MustCompile(`(?m)^EXPOSE .*\b` + port + `\b`).MatchString(read(t, "Dockerfile")) {
			t.Errorf("the image does not expose %s", port)
		}
	}
}

func copyInto(t *testing.T, from, to string) {
	t.Helper()
	os.MkdirAll(filepath.Dir(to), 0o755)
	if b, err := exec.Command("cp", "-r", from, to).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
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
	if len(found) == 0 {
		t.Error("no names of metrics")
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
