//go:build peers

package smtp

import (
	"bytes"
	"context"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"fanfare"
	"fanfare/channel/connector"
	"fanfare/internal/await"
)

const (
	moxUser     = "mox@localhost"
	moxPassword = "moxmoxmox" // of every local mox
)

// mox is a mail server that others wrote, serving this test alone.
type mox struct {
	submission, submissions, web string // addresses
	roots                        *x509.CertPool
}

// startMox builds the server (tools/mox) and gives it ports of its own.
func startMox(t *testing.T) mox {
	t.Helper()
	program, folder := filepath.Join(t.TempDir(), "mox"), filepath.Join(t.TempDir(), "data")
	build := exec.CommandContext(t.Context(), "go", "build", "-modfile=tools/mox/go.mod", "-o", program, "github.com/mjl-/mox")
	build.Dir = filepath.Join("..", "..", "..")
	run(t, build)
	run(t, exec.CommandContext(t.Context(), program, "localserve", "-dir", folder, "-ip", "127.0.0.1", "-initonly"))
	ports := movePorts(t, filepath.Join(folder, "mox.conf"))

	server := exec.Command(program, "localserve", "-dir", folder)
	var log bytes.Buffer
	server.Stdout, server.Stderr = &log, &log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	m := mox{
		submission: ports["1587"], submissions: ports["1465"], web: ports["1080"],
		roots: x509.NewCertPool(),
	}
	certificate, err := os.ReadFile(filepath.Join(folder, "localhost.crt"))
	if err != nil || !m.roots.AppendCertsFromPEM(certificate) {
		t.Fatalf("reading mox's certificate: %v", err)
	}
	for _, address := range []string{m.submission, m.submissions, m.web} {
		await.True(t, "mox listens", func() bool {
			conn, err := net.Dial("tcp", address)
			if err == nil {
				conn.Close()
			}
			return err == nil
		})
	}
	return m
}

func run(t *testing.T, command *exec.Cmd) {
	t.Helper()
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", command.Args, err, output)
	}
}

// movePorts puts free ports in the place of the usual ones, and returns the
// addresses by those.
func movePorts(t *testing.T, file string) map[string]string {
	t.Helper()
	config, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	addresses := map[string]string{}
	config = regexp.MustCompile(`Port: \d+`).ReplaceAllFunc(config, func(line []byte) []byte {
		usual := string(line[len("Port: "):])
		if addresses[usual] == "" {
			addresses[usual] = freeAddress(t)
		}
		return []byte("Port: " + addresses[usual][len("127.0.0.1:"):])
	})
	if err := os.WriteFile(file, config, 0o600); err != nil {
		t.Fatal(err)
	}
	return addresses
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// open connects over TLS that is verified, to a port as it would be elsewhere.
func (m mox) open(t *testing.T, port, password, from string, patience time.Duration) fanfare.Connection {
	t.Helper()
	address := map[string]string{"587": m.submission, implicitTLSPort: m.submissions}[port]
	outside := connector.Outside{Roots: m.roots, Patience: patience, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address)
	}}
	connection, err := New(outside).Open(fanfare.Credentials{
		"host": "localhost", "port": port, "username": moxUser, "password": password, "from": from,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { connection.Close() })
	return connection
}

// delivered returns the first message in the mailbox, once it is there.
func (m mox) delivered(t *testing.T) string {
	t.Helper()
	var raw string
	await.True(t, "the message is delivered", func() bool {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+m.web+"/webapi/v0/MessageRawGet",
			strings.NewReader(url.Values{"request": {`{"MsgID":1}`}}.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.SetBasicAuth(moxUser, moxPassword)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		raw = string(body)
		return err == nil && response.StatusCode == http.StatusOK
	})
	return raw
}

func TestPeerMox(t *testing.T) {
	m := startMox(t)
	for _, port := range []string{"587", implicitTLSPort} {
		if err := m.open(t, port, moxPassword, moxUser, time.Minute).Test(t.Context()); err != nil {
			t.Errorf("testing on port %s: %v", port, err)
		}
	}
	if err := m.open(t, "587", "wrong", moxUser, time.Minute).Test(t.Context()); fateOf(t, err) != fanfare.FateUnauthorized {
		t.Errorf("with a wrong password: %v", err)
	}
	if err := m.open(t, "587", moxPassword, "other@example.com", time.Minute).Test(t.Context()); fateOf(t, err) != fanfare.FateRefused {
		t.Errorf("as somebody else: %v", err)
	}
	t.Run("delivers", m.delivers)
	t.Run("fails", m.fails)
}

func (m mox) delivers(t *testing.T) {
	sent := letter()
	sent.Recipient = "ann@localhost"
	id, err := m.open(t, "587", moxPassword, "Shop <"+moxUser+">", time.Minute).Send(t.Context(), sent)
	if err != nil || !strings.HasPrefix(id, "<"+sent.ID+"@localhost>") {
		t.Fatalf("%q, %v", id, err)
	}
	raw := m.delivered(t)
	for _, part := range []string{
		"Message-ID: <" + sent.ID + "@localhost>", "Subject: =?UTF-8?q?Stra=C3=9Fe_&_=F0=9F=8E=89?=", "To: <ann@localhost>",
		"List-Unsubscribe-Post: List-Unsubscribe=One-Click", "Content-Type: text/plain; charset=UTF-8", "Content-Type: text/html; charset=UTF-8",
		"Look here (https://shop.example.com/?a=3D1&b=3D2).", "<h1>Hello</h1>", "DKIM-Signature:",
	} {
		if !strings.Contains(raw, part) {
			t.Errorf("no %q in\n%s", part, raw)
		}
	}
}

// The names of recipients make mox fail, "rcptto…" when it hears of them and
// others when it has the message.
func (m mox) fails(t *testing.T) {
	const patience = 20 * time.Second
	for recipient, want := range map[string]fanfare.Fate{
		"permerror": fanfare.FateRefused, "a554": fanfare.FateRefused, "rcpttopermerror": fanfare.FateRefused, "rcptto550": fanfare.FateRefused,
		"temperror": fanfare.FateDeferred, "a452": fanfare.FateDeferred, "rcpttotemperror": fanfare.FateDeferred, "rcptto450": fanfare.FateDeferred,
		"rcptto421": fanfare.FateHalted, "a421": fanfare.FateHalted, "rcpttotimeout": fanfare.FateDeferred, "timeout": fanfare.FateUnknown,
		"ann": "sent",
	} {
		wait := patience
		if strings.HasSuffix(recipient, "timeout") {
			wait = time.Second
		}
		m2 := letter()
		m2.ID, m2.Recipient = recipient, recipient+"@localhost"
		_, err := m.open(t, "587", moxPassword, moxUser, wait).Send(t.Context(), m2)
		if got := fateOf(t, err); got != want {
			t.Errorf("%s: %v, want %s", recipient, err, want)
		}
	}
}
