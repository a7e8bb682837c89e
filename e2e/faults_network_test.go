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
	var slow []stranger
	for range each {
		header, body := c.stranger(), c.stranger()
		_, _ = io.WriteString(header, "GET /api/health HTTP/1.1\r\nHost: fanfare\r\nX-A: ")
		_, _ = fmt.Fprintf(body, "POST /api/campaign HTTP/1.1\r\nHost: fanfare\r\nAuthorization: Bearer %s\r\n"+
			"Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n{\"prompt\": \"", c.key)
		slow = append(slow, header, body)
	}
	left := len(slow)
	ended := soon(within, func() bool {
		c.wantAnswer("/health/ready", http.StatusOK)
		var open []stranger
		for _, s := range slow {
			if _, err := s.Write([]byte("y")); err == nil && !s.gone() {
				open = append(open, s)
			}
		}
		slow = open
		left = len(open)
		return left == 0
	})
	if !ended {
		c.violated("%d slow connections were still open after %s", left, within)
	}
	return c.broken()
}

// A thousand readers of a stream, and a thousand of plain answers, take nothing.
func TestThousandStalledReaders(t *testing.T) { holds(t, thousandStalledReaders) }

func thousandStalledReaders(t testing.TB, program string) []string {
	const each, within, most = 1000, 5 * time.Minute, 600 << 20
	c := clusterOf(t, program, 0)
	api := c.api("RATE_LIMIT_API=100000000/1m")
	c.apis = c.apis[1:]
	job := c.runByHand()
	job.steps(20)
	before := residentMemory(t, api)
	var stalled []stranger
	for range each {
		stream, plain := c.stranger(), c.stranger()
		_, _ = fmt.Fprintf(stream, "GET /api/jobs/%s/events HTTP/1.1\r\nHost: fanfare\r\nAuthorization: Bearer %s\r\n\r\n", job.lease.JobID, c.key)
		// Asked for again and again: more than the system holds.
		_, _ = io.WriteString(plain, strings.Repeat("GET /api/openapi.json HTTP/1.1\r\nHost: fanfare\r\n\r\n", 100))
		stalled = append(stalled, stream, plain)
	}
	job.write()
	job.steps(eventsBefore + eventsAfter - 20)
	job.finish() // a stream ends once its reader has had everything
	peak := 0
	watch := func(condition func() bool) bool {
		return soon(within, func() bool { peak = max(peak, residentMemory(t, api)); return condition() })
	}
	left := 0
	if !watch(func() bool { left = established(t, api); return left < 50 }) {
		c.violated("%d connections of stalled readers were still open after %s", left, within)
	}
	c.wantAnswer("/health/ready", http.StatusOK)
	if peak > most {
		c.violated("%d stalled readers made the API take %d MiB", len(stalled), peak>>20)
	}
	if !watch(func() bool { return residentMemory(t, api) < before+150<<20 }) {
		c.violated("the API took %d MiB before, and takes %d MiB after", before>>20, residentMemory(t, api)>>20)
	}
	t.Logf("the API took %d MiB before, %d MiB at most, %d MiB after", before>>20, peak>>20, residentMemory(t, api)>>20)
	return c.broken()
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
