package devservices

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"fanfare"
)

// freeze stops a server and its children in their tracks; connections to them
// stay open and get no answer. PostgreSQL's children are sessions of their own,
// so a signal to a process group would not reach them.
func freeze(pid int) error {
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return fmt.Errorf("pausing process %d: %w", pid, err)
	}
	return signalChildren(pid, syscall.SIGSTOP)
}

// thaw undoes freeze.
func thaw(pid int) error {
	if err := signalChildren(pid, syscall.SIGCONT); err != nil {
		return err
	}
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		return fmt.Errorf("resuming process %d: %w", pid, err)
	}
	return nil
}

// kill ends a server and its children at once. The server is frozen first so
// that it makes no new children meanwhile.
func kill(pid int) error {
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return fmt.Errorf("killing process %d: %w", pid, err)
	}
	return errors.Join(signalChildren(pid, syscall.SIGKILL), syscall.Kill(pid, syscall.SIGKILL))
}

func signalChildren(pid int, signal syscall.Signal) error {
	pids, err := children(pid)
	if err != nil {
		return fmt.Errorf("listing the children of process %d: %w", pid, err)
	}
	for _, child := range pids {
		if err := syscall.Kill(child, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("signalling process %d: %w", child, err)
		}
	}
	return nil
}

// children lists a process's direct children: from /proc where there is one
// (slim containers have no ps), else (macOS) from ps.
func children(pid int) ([]int, error) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	if len(stats) == 0 {
		return childrenFromPS(pid)
	}
	var found []int
	for _, path := range stats {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended meanwhile
		}
		// "pid (name) state ppid …", proc_pid_stat(5); the name may hold spaces.
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if len(fields) > 1 && fields[1] == strconv.Itoa(pid) {
			child, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			found = append(found, child)
		}
	}
	return found, nil
}

func childrenFromPS(pid int) ([]int, error) {
	out, err := exec.CommandContext(context.Background(), "ps", "-A", "-o", "pid=,ppid=").Output()
	if err != nil {
		return nil, fmt.Errorf("running ps: %w", err)
	}
	var found []int
	for line := range strings.Lines(string(out)) {
		var child, parent int
		if _, err := fmt.Sscan(line, &child, &parent); err == nil && parent == pid {
			found = append(found, child)
		}
	}
	return found, nil
}

// processName returns the name of a running process's program, "" if there is
// no such process.
func processName(pid int) string {
	if comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)); err == nil {
		return strings.TrimSpace(string(comm))
	}
	out, err := exec.CommandContext(context.Background(), "ps", "-o", "comm=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return ""
	}
	return filepath.Base(strings.TrimSpace(string(out)))
}

// filedPID returns the process that a pid file names, 0 if there is none.
func filedPID(pidFile string) int {
	content, err := os.ReadFile(pidFile)
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(content), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil {
		return 0
	}
	return pid
}

// earlierServer returns the server that a pid file names, 0 if it has ended:
// what has its number now may be something else.
func earlierServer(pidFile, program string) int {
	pid := filedPID(pidFile)
	if pid == 0 || processName(pid) != program {
		return 0
	}
	return pid
}

// awaitEarlier waits for the end of an earlier server: one whose program was
// killed a moment ago is still shutting down. A pid file whose number now
// belongs to another program is removed; else the server judges it better
// (PostgreSQL looks for orphans of the process that it names).
func awaitEarlier(ctx context.Context, pidFile, program string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for pid := earlierServer(pidFile, program); pid != 0; pid = earlierServer(pidFile, program) {
		select {
		case <-ctx.Done():
			return fanfare.Errorf(fanfare.CodeUnavailable,
				"An earlier %s (process %d) still runs on the data in %s: end it with `kill %d`, then try again.",
				program, pid, filepath.Dir(pidFile), pid)
		case <-time.After(50 * time.Millisecond):
		}
	}
	if pid := filedPID(pidFile); pid == 0 || processName(pid) == "" {
		return nil
	}
	if err := os.Remove(pidFile); err != nil {
		return fmt.Errorf("removing a stale pid file: %w", err)
	}
	return nil
}
