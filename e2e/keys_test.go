package e2e

import (
	"net/http"
	"strings"
	"testing"
)

// An installation gets a new encryption key in the README's order, with the
// real program, and then forgets the old one.
func TestKeysAreRotated(t *testing.T) {
	t.Parallel()
	const private, before, after = "ALLOW_PRIVATE_HOSTS=true", "ENCRYPTION_KEY=0123456789abcdef0123456789abcdef", "ENCRYPTION_KEY=fedcba9876543210fedcba9876543210"
	old := strings.Replace(before, "KEY", "KEYS_OLD", 1)
	c := newCluster(t, 0)
	header := http.Header{"Authorization": {"Bearer " + c.key}}
	c.api(private)
	var made struct{ ID string }
	c.post(c.apis[1], "/api/integrations", header, map[string]any{
		"name": "smtp", "type": "email",
		"credentials": map[string]string{"host": "127.0.0.1", "port": "1", "from": "shop@example.com", "username": "u", "password": "canary-1"},
	}, &made)
	if made.ID == "" {
		t.Fatal("no integration was made")
	}
	try := func(extra ...string) (status int, reason string) {
		t.Helper()
		process := c.api(extra...)
		var tried struct{ Reason string }
		response := c.post(c.apis[len(c.apis)-1], "/api/integrations/test", header, map[string]string{"id": made.ID}, &tried)
		if process.logged("canary") {
			t.Error("the password is in the log")
		}
		return response.StatusCode, tried.Reason
	}
	if code, output := run(t, c.env(after), "keys", "rotate"); code != 1 || !strings.Contains(output, made.ID) || strings.Contains(output, "canary") {
		t.Errorf("without the old key: exit code %d\n%s", code, output)
	}
	if code, output := run(t, c.env(after, old), "keys", "rotate"); code != 0 || !strings.Contains(output, "Re-encrypted 1 ") {
		t.Errorf("exit code %d\n%s", code, output)
	}
	// The password comes out: there is just no server to try it at.
	if status, reason := try(private, after); status != http.StatusOK || !strings.Contains(reason, "try again") {
		t.Errorf("with the new key: %d %s", status, reason)
	}
	if status, _ := try(private, before); status != http.StatusInternalServerError {
		t.Errorf("with the old key: %d", status)
	}
	if status, _ := try(private, before, strings.Replace(after, "KEY", "KEYS_OLD", 1)); status != http.StatusOK {
		t.Errorf("with the old key and the new one listed: %d", status)
	}
}
