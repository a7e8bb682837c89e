package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"fanfare"
	"fanfare/examples"
)

const (
	demoName  = "Demo"
	demoEmail = "demo@fanfare.example"
	// A stream that breaks is resumed, so many times, after a pause.
	streamTries = 10
	streamGap   = time.Second
)

// Demo is one real trip through everything: a brief, one of the examples where
// it is "", becomes content for each channel. With once it ends there; otherwise it goes on serving.
func (d Dev) Demo(ctx context.Context, brief string, once bool) (err error) {
	if brief == "" {
		if brief, err = examples.Brief(); err != nil {
			return err
		}
	}
	return d.Run(ctx, func(ctx context.Context, d *Dev, state *devState) (bool, error) {
		if err := d.trip(ctx, state, brief); err != nil {
			return false, sentence(err)
		}
		if !once {
			d.whereToGoOn(state)
		}
		return !once, nil
	})
}

// Serve runs everything and says where it is.
func (d Dev) Serve(ctx context.Context) error {
	return d.Run(ctx, func(_ context.Context, d *Dev, _ *devState) (bool, error) {
		d.say("Fanfare runs at %s (%s). The API's documentation: %s/api/docs", d.Config.PublicURL, d.modelName(), d.Config.PublicURL)
		d.say("Its data and secrets are kept in %s. Stop it with Ctrl-C.", d.Dir)
		return true, nil
	})
}

func (d *Dev) say(format string, args ...any) { _, _ = fmt.Fprintf(d.Out, format+"\n", args...) }

func (d *Dev) modelName() string {
	if d.Config.AI.Demo {
		return "model: demo, a stand-in that builds its answers from the brief; set OPENAI_API_KEY for a real one"
	}
	return "model: " + d.Config.AI.Model
}

func (d *Dev) trip(ctx context.Context, state *devState, brief string) error {
	api, err := d.signIn(ctx, state)
	if err != nil {
		return err
	}
	d.say("Fanfare runs at %s (%s).\n", d.Config.PublicURL, d.modelName())
	d.say("The brief:\n  %s\n", brief)
	var submitted struct {
		Job      demoJob
		Campaign struct{ ID string }
	}
	if err := api.do(ctx, http.MethodPost, "/api/campaign", map[string]string{"prompt": brief}, &submitted); err != nil {
		return err
	}
	d.say("Accepted: campaign %s, job %s. It is in PostgreSQL; asynq carries it to a worker.", submitted.Campaign.ID, submitted.Job.ID)
	job, err := d.watch(ctx, api, submitted.Job)
	if err != nil {
		return err
	}
	return d.show(job)
}

// signIn registers the demo's user in the first run, and makes it a key that
// later runs use.
func (d *Dev) signIn(ctx context.Context, state *devState) (*client, error) {
	base := "http://" + d.Config.HTTPAddr
	if state.DemoKey != "" {
		api := newClient(base, state.DemoKey)
		if err := api.do(ctx, http.MethodGet, "/api/keys", nil, nil); err == nil {
			return api, nil
		}
	}
	api := newClient(base, "")
	credentials := map[string]string{"name": demoName, "email": demoEmail, "password": state.DemoPassword}
	err := api.do(ctx, http.MethodPost, "/api/auth/register", credentials, nil)
	if refused, ok := errors.AsType[*apiError](err); err != nil && (!ok || refused.Code != fanfare.CodeUserExists) {
		return nil, fmt.Errorf("registering the demo's user: %w", err)
	}
	if err := api.do(ctx, http.MethodPost, "/api/auth/login", credentials, nil); err != nil {
		return nil, fmt.Errorf("signing in as the demo's user: %w", err)
	}
	var key struct{ Key string }
	if err := api.do(ctx, http.MethodPost, "/api/keys", map[string]string{"name": "fanfare demo"}, &key); err != nil {
		return nil, fmt.Errorf("making an API key: %w", err)
	}
	state.DemoKey = key.Key
	return newClient(base, key.Key), d.saveState(state)
}

// demoJob is what the demo shows of a job.
type demoJob struct {
	ID       string
	Status   string
	Done     bool
	Attempt  int
	Progress fanfare.Progress
	Usage    fanfare.Usage
	Result   struct {
		Campaign struct {
			Goal    string
			Content fanfare.Content
		}
	}
	Error *fanfare.JobError
}

// demoEvent is any event of a job's stream.
type demoEvent struct {
	Type    string
	Job     *demoJob                              // of all but job.delta
	Partial map[fanfare.Channel]map[string]string // of job.snapshot
	Channel fanfare.Channel                       // of job.delta, as what follows
	Field   string
	Text    string
}

// watch shows the job's stream until it is over: the words as they come, in a
// terminal; its steps line by line elsewhere.
func (d *Dev) watch(ctx context.Context, api *client, job demoJob) (demoJob, error) {
	var view view = &lines{out: d.Out}
	if width, height, ok := terminal(d.Out); ok {
		view = newScreen(d.Out, width, height)
	}
	defer view.close()
	after := ""
	for try := 0; !job.Done; try++ {
		if try > 0 {
			select {
			case <-ctx.Done():
				return job, ctx.Err()
			case <-time.After(streamGap):
			}
		}
		err := api.stream(ctx, "/api/jobs/"+job.ID+"/events", after, func(id string, event demoEvent) {
			if id != "" {
				after = id
			}
			if event.Job != nil {
				job = *event.Job
			}
			view.show(event)
		})
		if err != nil && (ctx.Err() != nil || try == streamTries) {
			return job, err
		}
	}
	return job, nil
}

func (d *Dev) show(job demoJob) error {
	if job.Error != nil {
		return fmt.Errorf("the job ended %s: %s (%s)", job.Status, job.Error.Message, job.Error.Code)
	}
	d.say("\nThe goal that the model read: %s\n\n%s\n", job.Result.Campaign.Goal, job.Result.Campaign.Content)
	d.say("Tokens: %d in, %d out; model: %s.", job.Usage.InputTokens, job.Usage.OutputTokens, job.Usage.Model)
	return nil
}

func (d *Dev) whereToGoOn(state *devState) {
	body, _ := json.Marshal(map[string]string{"prompt": "A new brief"}) // always encodes
	d.say(`
It goes on serving; stop it with Ctrl-C. Try next:
  the API's documentation   %[1]s/api/docs
  another brief             curl -s %[1]s/api/campaign -H 'Authorization: Bearer %[2]s' -H 'Content-Type: application/json' -H 'Prefer: wait=25' -d '%[3]s'
  how the service is        curl -s %[1]s/api/health
Data and secrets are kept in %[4]s.`, d.Config.PublicURL, state.DemoKey, strings.TrimSpace(string(body)), d.Dir)
}
