package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is one of the programs measured.
type process struct {
	cmd  *exec.Cmd
	addr string
}

// startProcess starts a command pinned to the CPU, if that is not empty, and waits for the line of its output that holds
// its address.
func startProcess(cpu string, address *regexp.Regexp, name string, args ...string) (*process, error) {
	if cpu != "" {
		name, args = "taskset", append([]string{"-c", cpu, name}, args...)
	}
	cmd := exec.Command(name, args...)
	r, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, w
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	found := make(chan string)
	go func() {
		lines := bufio.NewScanner(r)
		for lines.Scan() {
			if m := address.FindStringSubmatch(lines.Text()); m != nil {
				found <- m[1]
				break
			}
			fmt.Fprintln(os.Stderr, lines.Text())
		}
		io.Copy(io.Discard, r)
	}()
	select {
	case addr := <-found:
		return &process{cmd, addr}, nil
	case <-time.After(10 * time.Second):
		cmd.Process.Kill()
		return nil, fmt.Errorf("%s did not tell its address", name)
	}
}

// startNginx starts nginx as one process, with what server says within its http block for an address to listen at.
func startNginx(cpu, dir string, server func(addr string) string) (*process, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := l.Addr().String()
	l.Close()
	conf := filepath.Join(dir, "nginx.conf")
	err = os.WriteFile(conf, fmt.Appendf(nil, `
daemon off;
master_process off;
pid %[1]s/nginx.pid;
error_log %[1]s/error.log;
events { worker_connections 50000; }
http {
  access_log off;
  client_body_temp_path %[1]s; proxy_temp_path %[1]s; fastcgi_temp_path %[1]s; uwsgi_temp_path %[1]s; scgi_temp_path %[1]s;
%[2]s
}
`, dir, server(addr)), 0o644)
	if err != nil {
		return nil, err
	}
	name, args := "nginx", []string{"-c", conf}
	if cpu != "" {
		name, args = "taskset", []string{"-c", cpu, "nginx", "-c", conf}
	}
	cmd := exec.Command(name, args...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting nginx: %w", err)
	}
	for range 100 {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			return &process{cmd, addr}, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	cmd.Process.Kill()
	return nil, fmt.Errorf("nginx does not listen at %s", addr)
}

// proxy is a server of nginx that proxies WebSockets to upstream, tuned as an operator would.
func proxy(upstream string) func(addr string) string {
	return func(addr string) string {
		return fmt.Sprintf(`
  server {
    listen %[1]s backlog=4096;
    tcp_nodelay on;
    location / {
      proxy_pass http://%[2]s;
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection upgrade;
      proxy_buffer_size 64k;
      proxy_buffers 8 64k;
      proxy_busy_buffers_size 128k;
      proxy_read_timeout 1h;
      proxy_send_timeout 1h;
    }
  }
`, addr, upstream)
	}
}

func (p *process) stop() {
	p.cmd.Process.Kill()
	p.cmd.Wait()
}

// cpu is the CPU time a process has used (proc(5), utime and stime).
func cpu(pid int) time.Duration {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	utime, _ := strconv.Atoi(fields[11])
	stime, _ := strconv.Atoi(fields[12])
	return time.Duration(utime+stime) * 10 * time.Millisecond
}

// rss is the resident memory of a process, in bytes.
func rss(pid int) int {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	pages, _ := strconv.Atoi(strings.Fields(string(b))[1])
	return pages * os.Getpagesize()
}

// fds is the number of file descriptors a process holds.
func fds(pid int) int {
	d, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	return len(d)
}
