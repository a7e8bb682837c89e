package app

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"fanfare/config"
	"fanfare/internal/demomodel"
	"fanfare/internal/devservices"
)

// Dev is everything in one process, on servers of its own.
type Dev struct {
	Process
	// Dir keeps the servers' data and the secrets between runs.
	Dir string
	Out io.Writer // for people; the log goes elsewhere

	mailbox *devMailbox // from Run on
}

// devState is what is kept between runs beside the servers' data.
type devState struct {
	AuthSecret    string `json:"authSecret"`
	EncryptionKey string `json:"encryptionKey"`
	DemoPassword  string `json:"demoPassword"`
	DemoKey       string `json:"demoKey,omitempty"` // an API key of the demo user's
	// DemoIntegration is the demo user's, with the mailbox.
	DemoIntegration string       `json:"demoIntegration,omitempty"`
	Mailbox         mailboxState `json:"mailbox"`
}

// Run starts what is missing and a mailbox, runs API, worker and scheduler, and calls ready
// with the API's address once it answers. It returns when ctx is done, when
// ready has returned false, or when a part has failed.
func (d Dev) Run(ctx context.Context, ready func(ctx context.Context, d *Dev, state *devState) (serve bool, err error)) (err error) {
	if d.Config.Env == config.Production {
		return errors.New("dev and demo are for trying things out, and may answer by a stand-in for a model: unset APP_ENV")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stopMetrics, err := d.measure(ctx, "dev")
	if err != nil {
		return err
	}
	defer stopMetrics()
	state, err := d.loadState()
	if err != nil {
		return err
	}
	services, err := d.startServices(ctx)
	if err != nil {
		return sentence(err)
	}
	defer func() { err = errors.Join(err, services.Stop()) }()
	stopModel, err := d.configure(ctx, state, services)
	if err != nil {
		return err
	}
	defer stopModel()
	if d.mailbox, err = d.startMailbox(ctx, state); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.mailbox.stop()) }()
	if err := d.MigrateUp(ctx); err != nil {
		return err
	}
	listener, err := d.listen(ctx)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return d.serveAPI(ctx, listener, 0) }) // nobody balances, and somebody waits at a terminal
	g.Go(func() error { return d.Worker(ctx) })
	g.Go(func() error { return d.Scheduler(ctx) })
	g.Go(func() error {
		if err := d.healthy(ctx); err != nil {
			return err
		}
		serve, err := ready(ctx, &d, state)
		if err == nil && !serve {
			cancel()
		}
		return err
	})
	return g.Wait()
}

// startServices starts a PostgreSQL and a Redis of its own, whatever servers the
// settings name: the jobs of those are not to be run by a stand-in for a model.
func (d *Dev) startServices(ctx context.Context) (*devservices.Services, error) {
	return devservices.Start(ctx, devservices.Options{Dir: d.Dir, Durable: true, Postgres: true, Redis: true})
}

// configure fills in the settings that nobody made. Without an API key the
// stand-in for a model is started and named as such.
func (d *Dev) configure(ctx context.Context, state *devState, services *devservices.Services) (stop func(), err error) {
	c := &d.Config
	c.DatabaseURL, c.RedisURL = services.DatabaseURL(), services.RedisURL()
	if c.AuthSecret == "" {
		c.AuthSecret = state.AuthSecret
	}
	if c.EncryptionKey == "" {
		c.EncryptionKey = state.EncryptionKey
	}
	c.AllowPrivateHosts = true // the mailbox is at one
	if c.AI.APIKey != "" {
		return func() {}, nil
	}
	c.AI.APIKey, c.AI.Demo = "demo", true
	c.AI.BaseURL, stop, err = startDemoModel(ctx)
	return stop, err
}

func startDemoModel(ctx context.Context) (baseURL string, stop func(), err error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("starting the stand-in for a model: %w", err)
	}
	server := &http.Server{Handler: demomodel.New(demomodel.Pace(20 * time.Millisecond)), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }() // ends with Close
	return "http://" + listener.Addr().String() + "/v1", func() { _ = server.Close() }, nil
}

// listen takes the address of the settings; where that is the default and
// somebody else has it, any free port.
func (d *Dev) listen(ctx context.Context) (net.Listener, error) {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", d.Config.HTTPAddr)
	if err != nil && d.Config.HTTPAddr == config.DefaultHTTPAddr {
		listener, err = lc.Listen(ctx, "tcp", "127.0.0.1:0")
	}
	if err != nil {
		return nil, fmt.Errorf("listening on HTTP_ADDR: %w", err)
	}
	if d.Config.PublicURL == "http://"+d.Config.HTTPAddr {
		d.Config.PublicURL = "http://" + listener.Addr().String()
	}
	d.Config.HTTPAddr = listener.Addr().String()
	return listener, nil
}

// healthy waits until the API says that database, Redis and a worker are up.
func (d *Dev) healthy(ctx context.Context) error {
	client := newClient("http://"+d.Config.HTTPAddr, "")
	for {
		var health struct {
			Services struct{ Database, Redis, Worker string }
		}
		err := client.do(ctx, http.MethodGet, "/api/health", nil, &health)
		up := health.Services
		if err == nil && up.Database == "up" && up.Redis == "up" && up.Worker == "up" {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (d *Dev) statePath() string { return filepath.Join(d.Dir, "state.json") }

// loadState makes new secrets at the first run.
func (d *Dev) loadState() (*devState, error) {
	raw, err := os.ReadFile(d.statePath())
	if errors.Is(err, os.ErrNotExist) {
		state := &devState{
			AuthSecret: rand.Text() + rand.Text(), EncryptionKey: (rand.Text() + rand.Text())[:32],
			DemoPassword: "Demo-" + rand.Text() + "-1a",
		}
		return state, d.saveState(state)
	}
	if err != nil {
		return nil, fmt.Errorf("reading what the last run has kept: %w", err)
	}
	state := &devState{}
	if err := json.Unmarshal(raw, state); err != nil {
		return nil, fmt.Errorf("reading %s: %w", d.statePath(), err)
	}
	return state, nil
}

func (d *Dev) saveState(state *devState) error {
	raw, err := json.MarshalIndent(state, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the secrets of this run: %w", err)
	}
	if err := os.MkdirAll(d.Dir, 0o755); err != nil {
		return fmt.Errorf("making the data directory: %w", err)
	}
	if err := os.WriteFile(d.statePath(), raw, 0o600); err != nil {
		return fmt.Errorf("keeping the secrets of this run: %w", err)
	}
	return nil
}
