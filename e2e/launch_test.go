package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"fanfare/internal/mailbox"
)

// Guard: the ledger's first commit (store/ledger.go: deliveries are sending
// before their provider is asked).
func TestWorkerKilledWhileItSends(t *testing.T) {
	t.Parallel()
	const recipients, kills, lanes = 2000, 3, 8
	c := newCluster(t, 0)
	c.scheduler("scheduler")
	c.api("ALLOW_PRIVATE_HOSTS=true")
	receiver := newReceiver(t, 10*time.Millisecond)
	worker := c.worker("worker0", "ALLOW_PRIVATE_HOSTS=true")
	c.awaitWorkers(1)
	campaign := c.addressed(recipients)
	c.connect(receiver)
	job := c.launch(campaign)
	for i := range kills {
		goal := (i + 1) * recipients / (kills + 2)
		eventually(t, patience, fmt.Sprintf("%d receipts", goal), func() bool { return receiver.count() >= goal })
		worker.kill()
		worker = c.worker(fmt.Sprintf("worker%d", i+1), "ALLOW_PRIVATE_HOSTS=true")
	}
	c.awaitDone(2*patience, []string{job})

	receipts := receiver.byRecipient()
	for recipient, n := range receipts {
		if n > 1 {
			t.Errorf("%s got %d messages", recipient, n)
		}
	}
	told := c.deliveries()
	if len(told) != recipients {
		t.Errorf("the ledger tells of %d deliveries, want %d", len(told), recipients)
	}
	unknown := 0
	for recipient, status := range told {
		switch {
		case status == "unknown":
			unknown++
		case status != "sent":
			t.Errorf("the delivery to %s is %s", recipient, status)
		case receipts[recipient] != 1:
			t.Errorf("%s is said to have got a message, and did not", recipient)
		}
	}
	if unknown > kills*lanes {
		t.Errorf("%d deliveries are unknown; at most %d were in flight at %d kills", unknown, kills*lanes, kills)
	}
	if c.abandoned() != kills {
		t.Errorf("%d attempts were lost with their worker, want %d", c.abandoned(), kills)
	}
	t.Logf("%d receipts of %d, %d unknown after %d kills", len(receipts), recipients, unknown, kills)
}

// receiver is a mail server that writes each receipt to disk before it answers.
type receiver struct {
	*mailbox.Mailbox
	t    *testing.T
	path string

	mu sync.Mutex
	n  int
}

func newReceiver(t *testing.T, delay time.Duration) *receiver {
	t.Helper()
	r := &receiver{t: t, path: filepath.Join(t.TempDir(), "receipts")}
	file, err := os.OpenFile(r.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	r.Mailbox, err = mailbox.Start(t.Context(), mailbox.Options{
		Username: "fanfare", Password: "secret", Keep: 1,
		OnMessage: func(m mailbox.Message) error {
			if _, err := fmt.Fprintln(file, strings.Join(m.To, " ")); err != nil {
				return err
			}
			r.mu.Lock()
			r.n++
			r.mu.Unlock()
			time.Sleep(delay) // as long as a mail server takes
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = r.Close()
		_ = file.Close()
	})
	return r
}

func (r *receiver) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.n
}

func (r *receiver) byRecipient() map[string]int {
	r.t.Helper()
	file, err := os.Open(r.path)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	receipts := map[string]int{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		receipts[lines.Text()]++
	}
	return receipts
}

// addressed makes a campaign with content for e-mail, and recipients.
func (c *cluster) addressed(recipients int) (campaign string) {
	c.t.Helper()
	var accepted struct {
		Job      struct{ ID string }
		Campaign struct{ ID string }
	}
	c.post(c.apis[0], "/api/campaign", c.authorized(), map[string]any{"prompt": "Sell tea", "channels": []string{"email"}}, &accepted)
	c.awaitDone(patience, []string{accepted.Job.ID})
	var list strings.Builder
	for i := range recipients {
		fmt.Fprintf(&list, "email,r%d@example.com\n", i)
	}
	request, err := http.NewRequestWithContext(c.t.Context(), http.MethodPut,
		c.apis[0]+"/api/campaign/"+accepted.Campaign.ID+"/recipients", strings.NewReader(list.String()))
	if err != nil {
		c.t.Fatal(err)
	}
	request.Header = c.authorized()
	request.Header.Set("Content-Type", "text/csv")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	var counted struct{ Email int }
	if err := json.NewDecoder(response.Body).Decode(&counted); err != nil || counted.Email != recipients {
		c.t.Fatalf("%s: %d recipients, %v", response.Status, counted.Email, err)
	}
	return accepted.Campaign.ID
}

// connect makes the receiver the user's mail server.
func (c *cluster) connect(r *receiver) {
	c.t.Helper()
	response := c.post(c.apis[0], "/api/integrations", c.authorized(), map[string]any{
		"name": "SMTP", "type": "email", "credentials": map[string]string{
			"host": r.Host(), "port": r.Port(), "username": "fanfare", "password": "secret", "from": "tea@example.com",
		},
	}, nil)
	if response.StatusCode != http.StatusCreated {
		c.t.Fatalf("connecting SMTP: %s", response.Status)
	}
}

func (c *cluster) launch(campaign string) (job string) {
	c.t.Helper()
	var accepted struct{ Job struct{ ID string } }
	response := c.post(c.apis[0], "/api/campaign/launch", c.authorized(), map[string]any{"campaignId": campaign}, &accepted)
	if response.StatusCode != http.StatusAccepted {
		c.t.Fatalf("launching: %s", response.Status)
	}
	return accepted.Job.ID
}

func (c *cluster) authorized() http.Header { return http.Header{"Authorization": {"Bearer " + c.key}} }

// deliveries are what the ledger says, by recipient.
func (c *cluster) deliveries() map[string]string {
	c.t.Helper()
	rows, err := c.db.QueryContext(c.t.Context(), `SELECT recipient, status FROM deliveries`)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	told := map[string]string{}
	for rows.Next() {
		var recipient, status string
		if err := rows.Scan(&recipient, &status); err != nil {
			c.t.Fatal(err)
		}
		told[recipient] = status
	}
	if err := rows.Err(); err != nil {
		c.t.Fatal(err)
	}
	return told
}
