package devservices

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// child is one run of a server, with its supervisor.
type child struct {
	pid    int // the server's
	orders io.WriteCloser
	ended  chan struct{} // closed when the server and its supervisor have ended
}

// launch starts a supervisor and, through it, the server.
func launch(ctx context.Context, s *spec) (*child, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	in, orders, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("making a pipe: %w", err)
	}
	answers, out, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("making a pipe: %w", err), in.Close(), orders.Close())
	}
	// A session of its own keeps the terminal's ^C and hangup away.
	supervisor := &exec.Cmd{Path: program, Args: []string{program, supervisorArg}, Stdin: in, Stdout: out, Stderr: os.Stderr}
	// With the race detector in it, a program sleeps for a second as it exits.
	supervisor.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
	supervisor.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = supervisor.Start()
	if err = errors.Join(err, in.Close(), out.Close()); err != nil {
		return nil, errors.Join(fmt.Errorf("starting a supervisor: %w", err), orders.Close(), answers.Close())
	}
	c := &child{orders: orders, ended: make(chan struct{})}
	go func() {
		_ = supervisor.Wait() // it says in its answer what went wrong
		close(c.ended)
	}()
	defer answers.Close()
	return c, c.handshake(ctx, s, answers)
}

// handshake hands the spec over and learns the server's pid. When it fails, the
// supervisor's input is closed, which ends what it may have started.
func (c *child) handshake(ctx context.Context, s *spec, answers *os.File) error {
	defer context.AfterFunc(ctx, func() { _ = answers.SetReadDeadline(time.Now()) })()
	var a started
	err := json.NewEncoder(c.orders).Encode(s)
	if err == nil {
		err = json.NewDecoder(bufio.NewReader(answers)).Decode(&a)
	}
	switch {
	case err != nil && ctx.Err() != nil:
		err = ctx.Err()
	case err != nil:
		err = fmt.Errorf("talking to the supervisor (does main or TestMain begin with devservices.Supervise?): %w", err)
	case a.Error != "":
		err = errors.New(a.Error)
	}
	if err != nil {
		return errors.Join(err, c.orders.Close())
	}
	c.pid = a.PID
	return nil
}

// stop ends the server and keeps its data.
func (c *child) stop() {
	_, _ = io.WriteString(c.orders, stopOrder) // fails where it has ended by itself
	<-c.ended
	_ = c.orders.Close()
}

// end ends the server and removes its data if that is temporary.
func (c *child) end() {
	_ = c.orders.Close()
	<-c.ended
}

func (c *child) running() bool {
	if c == nil {
		return false
	}
	select {
	case <-c.ended:
		return false
	default:
		return true
	}
}
