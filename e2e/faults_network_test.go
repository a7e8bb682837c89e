//go:build faults

package e2e

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// stranger is a connection that means no good.
type stranger struct{ net.Conn }

func (c *cluster) stranger() stranger {
	c.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(c.apis[0], "http://"))
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = conn.Close() })
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(4096) // what it does not read shall not lie here
	}
	return stranger{conn}
}

// gone reports whether the server has ended the connection. What was answered
// before is read.
func (s stranger) gone() bool {
	_ = s.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	_, err := io.Copy(io.Discard, s)
	return !errors.Is(err, os.ErrDeadlineExceeded)
}

// Requests come byte by byte, and without an end.
func TestSlowLoris(t *testing.T) { holds(t, slowLoris) }

func slowLoris(t testing.TB, program string) []string {
	const each, within = 300, 40 * time.Second
	c := clusterOf(t, program, 0)
	server := c.watched()
	before := server.footprint(t)
	var headers, bodies []stranger
	for range each {
		header, body := c.stranger(), c.stranger()
		_, _ = io.WriteString(header, "GET /api/health HTTP/1.1\r\nHost: fanfare\r\nX-A: ")
		_, _ = fmt.Fprintf(body, "POST /api/campaign HTTP/1.1\r\nHost: fanfare\r\nAuthorization: Bearer %s\r\n"+
			"Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n{\"prompt\": \"", c.key)
		headers, bodies = append(headers, header), append(bodies, body)
	}
	server.awaitConnections(c, 2*each)
	ended := soon(within, func() bool {
		c.wantAnswer("/health/ready", http.StatusOK)
		headers, bodies = stillOpen(headers), stillOpen(bodies)
		return len(headers)+len(bodies) == 0
	})
	if !ended {
		c.violated("after %s slow connections were still open: %d in their headers, %d in their bodies", within, len(headers), len(bodies))
	}
	server.checkReturns(c, before, 100<<20, within)
	return c.broken()
}

// stillOpen sends a byte on each connection, and returns those that take it.
func stillOpen(slow []stranger) (open []stranger) {
	for _, s := range slow {
		if _, err := s.Write([]byte("y")); err == nil && !s.gone() {
			open = append(open, s)
		}
	}
	return open
}

// watchedAPI is one that tells of itself.
type watchedAPI struct {
	*process
	metrics string // where
}

// watched starts an API, which is the cluster's only one from now on.
func (c *cluster) watched(extra ...string) watchedAPI {
	c.t.Helper()
	metrics := closedPort(c.t)
	p := c.api(append(extra, "METRICS_ADDR="+metrics)...)
	c.apis = c.apis[len(c.apis)-1:]
	return watchedAPI{p, metrics}
}

// footprint is what the API takes.
func (a watchedAPI) footprint(t testing.TB) footprint {
	t.Helper()
	response, err := http.Get("http://" + a.metrics + "/metrics")
	if err != nil {
		t.Fatalf("counting goroutines: %v", err)
	}
	defer func() { _ = response.Body.Close() }()
	found := goroutinesLine.FindStringSubmatch(read(t, response.Body))
	if found == nil {
		t.Fatal("the API does not tell of its goroutines")
	}
	n, err := strconv.Atoi(found[1])
	if err != nil {
		t.Fatalf("counting goroutines: %v", err)
	}
	return footprint{memory: residentMemory(t, a.process), goroutines: n}
}

// awaitConnections waits until so many stand. What is to be seen of fewer says
// nothing.
func (a watchedAPI) awaitConnections(c *cluster, n int) {
	c.t.Helper()
	stood := 0
	if !soon(patience, func() bool { stood = established(c.t, a.process); return stood >= n }) {
		c.violated("only %d connections stood, want %d: too little was tested", stood, n)
	}
}

// checkReturns: the API comes to take what it took before, and a little.
func (a watchedAPI) checkReturns(c *cluster, before footprint, more int, within time.Duration) {
	c.t.Helper()
	after := footprint{}
	back := soon(within, func() bool {
		after = a.footprint(c.t)
		return after.memory < before.memory+more && after.goroutines <= before.goroutines+50
	})
	if !back {
		c.violated("the API took %d MiB and %d goroutines before, and takes %d MiB and %d after",
			before.memory>>20, before.goroutines, after.memory>>20, after.goroutines)
	}
	c.t.Logf("the API took %d MiB and %d goroutines before, %d MiB and %d after",
		before.memory>>20, before.goroutines, after.memory>>20, after.goroutines)
}

// A thousand readers of a stream, and a thousand of plain answers, take nothing.
func TestThousandStalledReaders(t *testing.T) { holds(t, thousandStalledReaders) }

func thousandStalledReaders(t testing.TB, program string) []string {
	// Each stream may keep one frame, of a quarter of a mebibyte here, as it grew
	// while it was encoded. All that they were to get is 6 GiB.
	const each, within, most = 1000, 5 * time.Minute, 1 << 30
	c := clusterOf(t, program, 0)
	server := c.watched("RATE_LIMIT_API=100000000/1m")
	job := c.runByHand()
	job.steps(20)
	before := server.footprint(t)
	var streams []stranger
	for range each {
		stream := c.stranger()
		_, _ = fmt.Fprintf(stream, "GET /api/jobs/%s/events HTTP/1.1\r\nHost: fanfare\r\nAuthorization: Bearer %s\r\n\r\n", job.lease.JobID, c.key)
		streams = append(streams, stream)
	}
	c.checkBegun(streams)
	for range each {
		// Asked for again and again: more than the system holds.
		_, _ = io.WriteString(c.stranger(), strings.Repeat("GET /api/openapi.json HTTP/1.1\r\nHost: fanfare\r\n\r\n", 100))
	}
	server.awaitConnections(c, 2*each)
	job.write()
	job.steps(eventsBefore + eventsAfter - 20)
	job.finish() // a stream ends once its reader has had everything
	peak, left := 0, 0
	ended := soon(within, func() bool {
		peak, left = max(peak, residentMemory(t, server.process)), established(t, server.process)
		return left < 50
	})
	if !ended {
		c.violated("%d connections of stalled readers were still open after %s", left, within)
	}
	c.wantAnswer("/health/ready", http.StatusOK)
	if peak > most {
		c.violated("%d stalled readers made the API take %d MiB", 2*each, peak>>20)
	}
	server.checkReturns(c, before, 150<<20, within)
	t.Logf("the API took %d MiB at most", peak>>20)
	return c.broken()
}

// checkBegun reads the first line of each answer, and nothing more.
func (c *cluster) checkBegun(readers []stranger) {
	c.t.Helper()
	const want = "HTTP/1.1 200 OK\r\n"
	begun, line := 0, make([]byte, len(want))
	for _, r := range readers {
		_ = r.SetReadDeadline(time.Now().Add(20 * time.Second))
		if _, err := io.ReadFull(r, line); err == nil && string(line) == want {
			begun++
		}
	}
	if begun < len(readers) {
		c.violated("%d of %d answers began: too little was tested", begun, len(readers))
	}
}

// established counts a process's open sockets.
func established(t testing.TB, p *process) (n int) {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid)
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatalf("counting connections: %v", err)
	}
	for _, file := range files {
		if to, err := os.Readlink(dir + "/" + file.Name()); err == nil && strings.HasPrefix(to, "socket:") {
			n++
		}
	}
	return n
}

// A body of 1 MiB says that it is 1 GiB.
func TestGzipBomb(t *testing.T) { holds(t, gzipBomb) }

func gzipBomb(t testing.TB, program string) []string {
	c := clusterOf(t, program, 0)
	api := c.api()
	before := residentMemory(t, api)
	bomb := packed(t, 1<<30)
	for _, target := range [][2]string{
		{"POST /api/campaign", "application/json"},
		{"POST /api/auth/login", "application/json"},
		{"PUT /api/campaign/00000000-0000-7000-8000-000000000000/recipients", "text/csv"},
	} {
		method, path, _ := strings.Cut(target[0], " ")
		request, err := http.NewRequestWithContext(t.Context(), method, c.apis[1]+path, bytes.NewReader(bomb))
		if err != nil {
			t.Fatal(err)
		}
		request.Header = c.authorized()
		request.Header.Set("Content-Type", target[1])
		request.Header.Set("Content-Encoding", "gzip")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			c.violated("%s with a bomb: %v", target[0], err)
			continue
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusUnsupportedMediaType && response.StatusCode != http.StatusNotFound {
			c.violated("%s with a bomb: %s", target[0], response.Status)
		}
	}
	if after := residentMemory(t, api); after > before+100<<20 {
		c.violated("the bombs made the API take %d MiB", after>>20)
	}
	return c.broken()
}

func packed(t testing.TB, size int) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	block := make([]byte, 1<<20)
	for range size / len(block) {
		if _, err := w.Write(block); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
