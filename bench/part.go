package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"time"

	"fanfare/app"
	"fanfare/config"
)

// partArg, before api or worker, makes a process a part of the program.
const partArg = "part"

// part is an API or a worker in a process of its own, this same executable
// started again, so that what is measured is not mixed with who measures.
type part struct {
	cmd    *exec.Cmd
	orders io.WriteCloser
	lines  *bufio.Reader
}

// usage is what a part takes of the machine.
type usage struct {
	HeapAndStack int64         // bytes in use after a collection
	Resident     int64         // bytes before it; 0 where the system does not tell
	CPU          time.Duration // since the part began, before the collection
}

// What a part is asked for: collecting takes CPU time.
const (
	memoryOrder = "memory"
	cpuOrder    = "cpu"
)

func startPart(ctx context.Context, name string, env []string) (*part, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	p := &part{cmd: exec.CommandContext(ctx, path, partArg, name)}
	p.cmd.Env, p.cmd.Stderr = env, os.Stderr
	if p.orders, err = p.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("starting the %s: %w", name, err)
	}
	answers, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("starting the %s: %w", name, err)
	}
	p.lines = bufio.NewReader(answers)
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the %s: %w", name, err)
	}
	return p, nil
}

// startAPI returns once the API answers.
func startAPI(ctx context.Context, env []string) (*part, string, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", fmt.Errorf("finding a free port: %w", err)
	}
	addr := listener.Addr().String()
	_ = listener.Close()
	p, err := startPart(ctx, "api", append(env, "HTTP_ADDR="+addr))
	if err != nil {
		return nil, "", err
	}
	base := "http://" + addr
	for range 400 {
		if isReady(ctx, base) {
			return p, base, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	p.stop()
	return nil, "", errors.New("the API did not get ready")
}

func isReady(ctx context.Context, base string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/health/ready", nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// measure asks the part what it takes.
func (p *part) measure(order string) (usage, error) {
	var u usage
	if _, err := io.WriteString(p.orders, order+"\n"); err != nil {
		return u, fmt.Errorf("asking for a measurement: %w", err)
	}
	line, err := p.lines.ReadBytes('\n')
	if err != nil {
		return u, fmt.Errorf("reading a measurement: %w", err)
	}
	return u, json.Unmarshal(line, &u)
}

func (p *part) stop() {
	_ = p.orders.Close()
	_ = p.cmd.Wait()
}

// isPart tells whether this process was started as a part.
func isPart() bool { return len(os.Args) == 3 && os.Args[1] == partArg }

// runPart runs an API or a worker until standard input closes.
func runPart(name string) error {
	ctx, stop := context.WithCancel(context.Background())
	go answerOrders(stop)
	needs := map[string]config.Process{"api": config.API, "worker": config.Worker}[name]
	settings, err := config.Load(os.Environ(), needs)
	if err != nil {
		return err
	}
	process := app.Process{Config: settings, Version: "bench", Log: onlyErrors{os.Stderr}}
	if name == "api" {
		return process.API(ctx)
	}
	return process.Worker(ctx)
}

func answerOrders(stop func()) {
	defer stop()
	orders, answers := bufio.NewScanner(os.Stdin), json.NewEncoder(os.Stdout)
	for orders.Scan() {
		u := usage{CPU: cpu()}
		if orders.Text() == memoryOrder {
			u.Resident, u.HeapAndStack = resident(), heapAndStack()
		}
		if answers.Encode(u) != nil {
			return
		}
	}
}

func heapAndStack() int64 {
	runtime.GC()
	runtime.GC() // what pools held survives the first
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	return int64(memory.HeapInuse + memory.StackInuse)
}

// resident is this process's memory as Linux counts it: proc(5), statm.
func resident() int64 {
	raw, _ := os.ReadFile("/proc/self/statm")
	if fields := bytes.Fields(raw); len(fields) > 1 {
		pages, _ := strconv.ParseInt(string(fields[1]), 10, 64)
		return pages * int64(os.Getpagesize())
	}
	return 0
}

// onlyErrors keeps the log of a part quiet.
type onlyErrors struct{ to io.Writer }

func (w onlyErrors) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte(`"level":"ERROR"`)) {
		return w.to.Write(line)
	}
	return len(line), nil
}
