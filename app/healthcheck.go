package app

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"fanfare"
	"fanfare/config"
	"fanfare/store"
)

const (
	healthLimit = 4 * time.Second
	// signSilence is how long a process that lives may say nothing: a few of
	// its heartbeats, which go on while it drains.
	signSilence = 10 * time.Second
)

// Healthcheck tells on out how the api, worker or scheduler of this machine is,
// and fails where it does not work though it could: whoever runs it may restart
// it then. That the database is away is no reason to, and is said only. (Whether
// requests should come here is another question, which /health/ready answers.)
//
// An API answers for itself. A worker and a scheduler are known by the sign of
// life that they write every two seconds: what hangs writes none.
func (p Process) Healthcheck(ctx context.Context, kind string, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, healthLimit)
	defer cancel()
	if kind == "api" {
		return p.checkAPI(ctx, out)
	}
	host, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("asking for this machine's name: %w", err)
	}
	heard, err := store.Heard(ctx, p.Config.DatabaseURL, kind, host, signSilence)
	switch {
	case fanfare.ErrorCode(err) == fanfare.CodeUnavailable:
		_, _ = fmt.Fprintf(out, "The database does not answer, so nothing can be said of the %s.\n", kind)
		return nil
	case err != nil:
		return err
	case !heard:
		return fmt.Errorf("no %s on %s has given a sign of life within %s", kind, host, signSilence)
	}
	_, _ = fmt.Fprintf(out, "The %s lives.\n", kind)
	return nil
}

func (p Process) checkAPI(ctx context.Context, out io.Writer) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, config.LocalURL(p.Config.HTTPAddr)+"/health/live", nil)
	if err != nil {
		return fmt.Errorf("asking the API: %w", err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // no proxy
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("asking the API: %w", err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the API answers %s", response.Status)
	}
	_, _ = fmt.Fprintln(out, "The API lives.")
	return nil
}
