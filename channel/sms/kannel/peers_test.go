//go:build peers

package kannel

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf16"

	"fanfare"
	"fanfare/channel/connector"
	"fanfare/channel/egress"
	"fanfare/internal/await"
)

// fakesmsc plays the part of a mobile network: Debian's kannel-extras has it.
const fakesmsc = "/usr/lib/kannel/test/fakesmsc"

const configuration = `
group = core
admin-port = %[1]s
admin-password = admin
smsbox-port = %[2]s
box-allow-ip = "127.0.0.1"
access-log = "%[5]s"

group = smsc
smsc = fake
smsc-id = FAKE
port = %[3]s
connect-allow-ip = 127.0.0.1

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = %[4]s
white-list-regex = "^[+0-9 ]+$"

group = sendsms-user
username = one
password = "foo bar&1"

group = sendsms-user
username = three
password = "foo bar&1"
max-messages = 3
concatenation = true
`

// network is a Kannel that others wrote, with a mobile network behind it.
type network struct {
	url, accessLog string
	phones         *output
}

// output is what a program wrote so far.
type output struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buffer.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buffer.String()
}

func startKannel(t *testing.T) network {
	t.Helper()
	folder := t.TempDir()
	var ports []any
	for range 4 {
		ports = append(ports, freePort(t))
	}
	n := network{url: fmt.Sprintf("http://127.0.0.1:%s/cgi-bin/sendsms", ports[3]), accessLog: filepath.Join(folder, "access.log")}
	file := filepath.Join(folder, "kannel.conf")
	if err := os.WriteFile(file, fmt.Appendf(nil, configuration, append(ports, n.accessLog)...), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, folder, "/usr/sbin/bearerbox", file)
	awaitPort(t, ports[1])
	start(t, folder, "/usr/sbin/smsbox", file)
	awaitPort(t, ports[3])
	awaitPort(t, ports[2])
	n.phones = start(t, folder, fakesmsc, "-H", "127.0.0.1", "-r", fmt.Sprint(ports[2]), "-m", "0", "1 2 text nothing")
	return n
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return port
}

func start(t *testing.T, folder, program string, args ...string) *output {
	t.Helper()
	var said output
	command := exec.Command(program, args...)
	command.Dir, command.Stdout, command.Stderr = folder, &said, &said
	if err := command.Start(); err != nil {
		t.Fatalf("%v; apt-get install kannel kannel-extras", err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
		if t.Failed() {
			t.Logf("%s:\n%s", program, said.String())
		}
	})
	return &said
}

func awaitPort(t *testing.T, port any) {
	t.Helper()
	await.True(t, fmt.Sprintf("port %s is listened at", port), func() bool {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%s", port))
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
}

func (n network) open(t *testing.T, username, password, maxMessages string) fanfare.Connection {
	t.Helper()
	outside := connector.Outside{AllowPrivate: true, HTTP: egress.NewClient(egress.NewDialer(true, nil).DialContext, nil), Patience: time.Minute}
	connection, err := New(outside).Open(fanfare.Credentials{
		"url": n.url, "username": username, "password": password, "from": "Shop", "maxMessages": maxMessages,
	})
	if err != nil {
		t.Fatal(err)
	}
	return connection
}

const peerPassword = "foo bar&1"

func TestPeerKannel(t *testing.T) {
	n := startKannel(t)
	for password, want := range map[string]fanfare.Fate{peerPassword: "sent", "wrong": fanfare.FateUnauthorized} {
		c := n.open(t, "one", password, "")
		if err := c.Test(t.Context()); fateOf(err) != want {
			t.Errorf("testing with %q: %v", password, err)
		}
		if _, err := c.Send(t.Context(), text("Tea")); fateOf(err) != want {
			t.Errorf("sending with %q: %v", password, err)
		}
	}
	n.delivers(t)
	n.refuses(t)
	n.isCanceled(t)
	if answer, err := n.open(t, "one", peerPassword, "").Ask(t.Context(), text("Tea")); err != nil || answer.State != fanfare.AnswerUnknown {
		t.Errorf("%+v, %v", answer, err)
	}
}

// arrived lists the texts that phones got.
func (n network) arrived(t *testing.T) []string {
	t.Helper()
	var texts []string
	for _, got := range gotMessage.FindAllStringSubmatch(n.phones.String(), -1) {
		if got[1] == "text" {
			texts = append(texts, got[2])
			continue
		}
		raw, err := url.QueryUnescape(got[2])
		if err != nil {
			t.Fatal(err)
		}
		var units []uint16
		for i := 0; i+1 < len(raw); i += 2 {
			units = append(units, uint16(raw[i])<<8|uint16(raw[i+1]))
		}
		texts = append(texts, string(utf16.Decode(units)))
	}
	return texts
}

var gotMessage = regexp.MustCompile(`Got message \d+: <Shop \+4915112345678 (text|ucs-2|udh \S+ data) (.*)>`)

// delivers: phones get what was written, in each of the alphabets and lengths.
func (n network) delivers(t *testing.T) {
	for _, said := range []string{"Tea & cake: 20% off @ 5 €", "Чай 🎉 и торт", strings.Repeat("a", 160), strings.Repeat("ж", 70)} {
		if id, err := n.open(t, "one", peerPassword, "").Send(t.Context(), text(said)); err != nil || id != delivery {
			t.Errorf("%q: %q, %v", said, id, err)
		}
		await.True(t, "a phone gets "+said, func() bool { return slices.Contains(n.arrived(t), said) })
	}
	await.True(t, "the gateway's log names the delivery", func() bool {
		log, err := os.ReadFile(n.accessLog)
		return err == nil && bytes.Contains(log, []byte("[ACT:"+delivery+"]"))
	})
	before, long := len(n.arrived(t)), strings.Repeat("щ", 160)
	if _, err := n.open(t, "three", peerPassword, "3").Send(t.Context(), text(long)); err != nil {
		t.Error(err)
	}
	await.True(t, "a phone gets all three parts", func() bool { return len(n.arrived(t)) == before+3 })
	if got := strings.Join(n.arrived(t)[before:], ""); strings.Count(got, "щ") != 160 {
		t.Errorf("of a long text %q arrived", got)
	}
}

// refuses: a text that the gateway would cut, as it does where it is told to.
func (n network) refuses(t *testing.T) {
	long := text(strings.Repeat("ю", 71))
	if _, err := n.open(t, "one", peerPassword, "").Send(t.Context(), long); fateOf(err) != fanfare.FateRefused {
		t.Error(err)
	}
	if _, err := n.open(t, "one", peerPassword, "2").Send(t.Context(), long); err != nil { // more than the user may
		t.Error(err)
	}
	await.True(t, "the gateway cuts it", func() bool { return slices.Contains(n.arrived(t), strings.Repeat("ю", 70)) })
	elsewhere := n
	elsewhere.url = strings.Replace(n.url, "sendsms", "elsewhere", 1)
	if err := elsewhere.open(t, "one", peerPassword, "").Test(t.Context()); fateOf(err) != fanfare.FateUnauthorized {
		t.Errorf("an address that Kannel does not have: %v", err)
	}
}

func (n network) isCanceled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := n.open(t, "one", peerPassword, "").Send(ctx, text("Tea"))
	if !slices.Contains([]fanfare.Fate{fanfare.FateHalted, fanfare.FateDeferred}, fateOf(err)) {
		t.Error(err)
	}
}
