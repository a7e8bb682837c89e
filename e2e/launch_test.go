package e2e

import (
	"bufio"
	"context"
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

func TestWorkerKilledWhileItSends(t *testing.T) { holds(t, workerKilledWhileItSends) }

// lanes is how many connections our mail connector opens at most: so many
// messages may be in flight when a worker dies.
const lanes = 8

func workerKilledWhileItSends(t testing.TB, program string) []string {
	const recipients, kills = 2000, 3
	c := clusterOf(t, program, 0)
	c.scheduler("scheduler")
	c.api(private)
	receiver := newReceiver(t, 10*time.Millisecond)
	worker := c.worker("worker0", private)
	c.awaitWorkers(1)
	campaign := c.addressed(recipients)
	c.connect(receiver)
	job := c.launch(campaign)
	for i := range kills {
		goal := (i + 1) * recipients / (kills + 2)
		eventually(t, patience, fmt.Sprintf("%d receipts", goal), func() bool { return receiver.count() >= goal })
		worker.kill()
		worker = c.worker(fmt.Sprintf("worker%d", i+1), private)
	}
	c.awaitEnded([]string{job})
	unknown := c.checkReceipts(receiver, recipients)
	if unknown > kills*lanes {
		c.violated("%d deliveries are unknown; at most %d were in flight at %d kills", unknown, kills*lanes, kills)
	}
	if c.abandoned() != kills {
		c.violated("%d attempts were lost with their worker, want %d", c.abandoned(), kills)
	}
	c.checkAllEnded()
	return c.broken()
}

// private lets integrations reach this machine.
const private = "ALLOW_PRIVATE_HOSTS=true"

// checkReceipts compares what arrived with what the ledger tells of so many
// recipients: nobody got two messages, whoever is said to have got one did, and
// of what arrived and is not said to have been sent the ledger says that it does
// not know. It returns how many deliveries are of unknown fate.
func (c *cluster) checkReceipts(r *receiver, recipients int) (unknown int) {
	c.t.Helper()
	told := c.deliveries()
	if len(told) != recipients {
		c.violated("the ledger tells of %d deliveries, want %d", len(told), recipients)
	}
	for recipient, status := range told {
		if status != "unknown" && status != "sent" {
			c.violated("the delivery to %s is %s", recipient, status)
		}
	}
	return c.checkArrivals(r.byRecipient(), told)
}

// checkArrivals does so for launches that need not have sent everything.
func (c *cluster) checkArrivals(receipts map[string]int, told map[string]string) (unknown int) {
	c.t.Helper()
	for recipient, n := range receipts {
		if n > 1 {
			c.violated("%s got %d messages", recipient, n)
		}
		if status := told[recipient]; status != "sent" && status != "unknown" {
			c.violated("%s got a message whose delivery is %q", recipient, status)
		}
	}
	for recipient, status := range told {
		if status == "unknown" {
			unknown++
		}
		if status == "sent" && receipts[recipient] == 0 {
			c.violated("%s is said to have got a message, and did not", recipient)
		}
	}
	if audited := c.count(`SELECT count(*) FROM audit_logs WHERE action = 'delivery.unknown'`); audited != unknown {
		c.violated("the audit trail tells of %d unknown deliveries, the ledger of %d", audited, unknown)
	}
	c.t.Logf("%d receipts of %d, %d unknown", len(receipts), len(told), unknown)
	return unknown
}

// receiver is a mail server that writes each receipt to disk before it answers.
type receiver struct {
	*mailbox.Mailbox
	t    testing.TB
	path string

	mu sync.Mutex
	n  int
}

func newReceiver(t testing.TB, delay time.Duration) *receiver {
	t.Helper()
	return newReceiverThat(t, func(int, string) { time.Sleep(delay) }) // as long as a mail server takes
}

// newReceiverThat does something between a receipt, whose number and recipient
// it is told, and the answer.
func newReceiverThat(t testing.TB, does func(n int, to string)) *receiver {
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
			does(r.received(), strings.Join(m.To, " "))
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

func (r *receiver) received() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.n++
	return r.n
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
	if err := c.address(c.t.Context(), accepted.Campaign.ID, "r", recipients); err != nil {
		c.t.Fatal(err)
	}
	return accepted.Campaign.ID
}

// address gives a campaign a new list of recipients, whose names begin alike.
func (c *cluster) address(ctx context.Context, campaign, prefix string, recipients int) error {
	var list strings.Builder
	for i := range recipients {
		fmt.Fprintf(&list, "email,%s%d@example.com\n", prefix, i)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPut,
		c.apis[0]+"/api/campaign/"+campaign+"/recipients", strings.NewReader(list.String()))
	if err != nil {
		return err
	}
	request.Header = c.authorized()
	request.Header.Set("Content-Type", "text/csv")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	var counted struct{ Email int }
	if err := json.NewDecoder(response.Body).Decode(&counted); err != nil {
		return fmt.Errorf("addressing a campaign: %s: %w", response.Status, err)
	}
	if counted.Email != recipients {
		return fmt.Errorf("addressing a campaign: %s: %d recipients", response.Status, counted.Email)
	}
	return nil
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
