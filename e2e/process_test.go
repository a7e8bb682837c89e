package e2e

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// process is one running subcommand of the program.
type process struct {
	t    testing.TB
	name string
	cmd  *exec.Cmd
	log  string
	done chan struct{} // closed when it has ended
	err  error         // how, once done is closed
}

// start runs a subcommand. It is killed when the test ends, and its log is
// shown if the test has failed.
func (c *cluster) start(name string, env []string, args ...string) *process {
	c.t.Helper()
	p := &process{t: c.t, name: name, log: filepath.Join(c.t.TempDir(), name+".log"), done: make(chan struct{})}
	log, err := os.Create(p.log)
	if err != nil {
		c.t.Fatal(err)
	}
	p.cmd = exec.Command(c.program, args...)
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = env, log, log
	if err := p.cmd.Start(); err != nil {
		c.t.Fatalf("starting %s: %v", name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		_ = log.Close()
		close(p.done)
	}()
	c.t.Cleanup(p.cleanUp)
	return p
}

func (p *process) cleanUp() {
	p.signal(syscall.SIGCONT)
	p.signal(syscall.SIGKILL)
	<-p.done
	if p.t.Failed() {
		raw, _ := os.ReadFile(p.log)
		lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
		p.t.Logf("the end of %s's log:\n%s", p.name, strings.Join(lines[max(0, len(lines)-40):], "\n"))
	}
}

func (p *process) signal(s syscall.Signal) {
	err := p.cmd.Process.Signal(s)
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Errorf("sending %v to %s: %v", s, p.name, err)
	}
}

// kill ends the process as a crash would.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.done
}

// terminate asks the process to stop and returns its exit code.
func (p *process) terminate(within time.Duration) int {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	return p.ended(within)
}

// ended waits for the end of a process that was told to stop.
func (p *process) ended(within time.Duration) int {
	p.t.Helper()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(within):
		p.t.Fatalf("%s did not stop within %s", p.name, within)
		return -1
	}
}

// logged reports whether the process has logged a text.
func (p *process) logged(text string) bool { return strings.Contains(p.output(), text) }

// output is all that the process has written so far.
func (p *process) output() string {
	raw, _ := os.ReadFile(p.log) // "" before there is any
	return string(raw)
}
