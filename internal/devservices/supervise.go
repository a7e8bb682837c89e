package devservices

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// supervisorArg, as the only argument, makes a process a supervisor.
const supervisorArg = "devservices-supervisor"

// stopOrder is the line by which the parent asks for a stop that keeps the data.
const stopOrder = "stop\n"

// patience is how long a server may take to obey one signal before the next.
const patience = 10 * time.Second

// spec is what the parent tells its supervisor, as one line of JSON. The answer
// is one line of JSON too: a started.
type spec struct {
	Path    string
	Args    []string
	Env     []string
	Dir     string
	Log     string   // file for all that the server prints, emptied first
	Account *account // nil: the supervisor's own
	// Signals ask the server to stop, from the politest on; SIGKILL follows.
	Signals []syscall.Signal
	// Remove, unless "", is a directory to remove when the parent is gone.
	Remove string
}

type started struct {
	PID   int
	Error string
}

// Supervise does nothing unless this process was started as the supervisor of
// a development server; then it does that work and exits. It must come first in
// main and in TestMain of every program that calls Start.
func Supervise() {
	if isSupervisor() {
		os.Exit(supervise(os.Stdin, os.Stdout))
	}
}

func isSupervisor() bool { return len(os.Args) == 2 && os.Args[1] == supervisorArg }

func supervise(in io.Reader, out io.Writer) int {
	// On Linux the kernel ends the server when the thread that started it ends.
	runtime.LockOSThread()
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)

	orders := bufio.NewReader(in)
	var s spec
	server, err := startServer(orders, &s)
	if err != nil {
		answer(out, started{Error: err.Error()})
		return 1
	}
	answer(out, started{PID: server.Process.Pid})

	exited := make(chan struct{})
	go func() {
		_ = server.Wait() // how it ended stands in its log
		close(exited)
	}()
	select {
	case <-exited:
	case <-asked:
		s.stop(server.Process.Pid, exited)
	case orphaned := <-readOrder(orders):
		s.stop(server.Process.Pid, exited)
		if orphaned {
			s.remove()
		}
	}
	return 0
}

func startServer(orders *bufio.Reader, s *spec) (*exec.Cmd, error) {
	line, err := orders.ReadBytes('\n')
	if err != nil {
		return nil, fmt.Errorf("reading what to start: %w", err)
	}
	if err := json.Unmarshal(line, s); err != nil {
		return nil, fmt.Errorf("reading what to start: %w", err)
	}
	log, err := os.Create(s.Log)
	if err != nil {
		return nil, fmt.Errorf("opening a log: %w", err)
	}
	defer log.Close()
	server := &exec.Cmd{Path: s.Path, Args: append([]string{s.Path}, s.Args...), Env: s.Env, Dir: s.Dir, Stdout: log, Stderr: log}
	server.SysProcAttr = serverAttr(s.Account.credential(), s.Signals[0])
	if err := server.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", s.Path, err)
	}
	return server, nil
}

func answer(out io.Writer, a started) {
	_ = json.NewEncoder(out).Encode(a) // a parent that is gone needs no answer
}

// readOrder says true when the parent is gone, false when it asks for a stop.
func readOrder(orders *bufio.Reader) <-chan bool {
	orphaned := make(chan bool, 1)
	go func() {
		_, err := orders.ReadString('\n')
		orphaned <- err != nil
	}()
	return orphaned
}

func (s *spec) stop(pid int, exited <-chan struct{}) {
	_ = thaw(pid) // a frozen server obeys nothing
	for _, sig := range s.Signals {
		_ = syscall.Kill(pid, sig)
		select {
		case <-exited:
			return
		case <-time.After(patience):
		}
	}
	_ = kill(pid)
	<-exited
}

// remove deletes temporary data, and the folder around it once the last server
// has left it.
func (s *spec) remove() {
	if s.Remove == "" {
		return
	}
	_ = removeData(s.Remove)
	_ = os.Remove(s.Log)
	parent := filepath.Dir(s.Log)
	if left, err := os.ReadDir(parent); err == nil && len(left) == 1 && left[0].Name() == lockName {
		_ = os.RemoveAll(parent)
	}
}
