package app

import (
	"io"
	"net"
	"strings"
	"testing"

	"fanfare/config"
)

func TestMailboxStaysWhereItWas(t *testing.T) {
	d := &Dev{Dir: t.TempDir(), Out: io.Discard}
	state, err := d.loadState()
	if err != nil {
		t.Fatal(err)
	}
	begin := func() *devMailbox {
		t.Helper()
		box, err := d.startMailbox(t.Context(), state)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = box.stop() })
		return box
	}
	first := begin()
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	if state, err = d.loadState(); err != nil { // as the next run does
		t.Fatal(err)
	}
	again := begin()
	if again.Addr() != first.Addr() || again.url != first.url || again.password != first.password {
		t.Errorf("it was at %s and %s, and is at %s and %s", first.Addr(), first.url, again.Addr(), again.url)
	}
	other := begin() // while the last one has its ports
	if other.Addr() == again.Addr() || other.url == again.url || other.password != first.password {
		t.Errorf("it is at %s and %s, where another one is", other.Addr(), other.url)
	}
	if state.Mailbox.SMTP != other.Addr() || "http://"+state.Mailbox.Pages != other.url {
		t.Errorf("kept: %+v", state.Mailbox)
	}
	if host, _, err := net.SplitHostPort(other.Addr()); err != nil || host != "127.0.0.1" {
		t.Errorf("it listens at %s, where others can reach it", other.Addr())
	}
}

func TestDevIsNotForProduction(t *testing.T) {
	d := Dev{Process: Process{Config: config.Config{Env: config.Production}}, Dir: t.TempDir(), Out: io.Discard}
	if err := d.Run(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "APP_ENV") {
		t.Errorf("dev in production: %v", err)
	}
}

func TestProgressOfALaunchCountsMessages(t *testing.T) {
	job := demoJob{Status: "running", Kind: "campaign.launch"}
	job.Progress.Total, job.Progress.Completed, job.Progress.Step = 3, 2, "send"
	if got := progressLine(job); got != "running, 2 of 3 messages done" {
		t.Error(got)
	}
	job.Kind, job.Attempt = "campaign.generate", 2
	if got := progressLine(job); !strings.Contains(got, "2 of 3 steps done, last: send (attempt 2)") {
		t.Error(got)
	}
}
