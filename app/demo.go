package app

import (
	"context"
	"encoding/json"
	"fmt"

	"fanfare"
	"fanfare/examples"
)

// Demo is one real trip through everything: a brief, one of the examples where
// it is "", becomes content for each channel, its e-mail goes to the mailbox,
// and made-up figures are analyzed. With once it ends there; otherwise it goes
// on serving.
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
		if once {
			d.say("\nThat was all. Without --once it goes on serving, and the mailbox can be read.")
		} else {
			d.whereToGoOn(state)
		}
		return !once, nil
	})
}

// Serve runs everything and says where it is.
func (d Dev) Serve(ctx context.Context) error {
	return d.Run(ctx, func(_ context.Context, d *Dev, _ *devState) (bool, error) {
		d.say("Fanfare runs at %s (%s). The API's documentation: %s/api/docs", d.Config.PublicURL, d.modelName(), d.Config.PublicURL)
		d.say("A mailbox on this machine, read at %s, takes mail for everybody and delivers none. "+
			"To send there, connect SMTP:\n  %s", d.mailbox.url, encoded(d.integration()))
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

// tour is one trip: who takes it, and the campaign that it is about.
type tour struct {
	*Dev
	state    *devState
	api      *client
	campaign demoCampaign
}

// demoCampaign is what the demo needs of a campaign.
type demoCampaign struct {
	ID       string
	Goal     string
	Channels []fanfare.Channel
	Content  fanfare.Content
}

func (d *Dev) trip(ctx context.Context, state *devState, brief string) error {
	api, err := d.signIn(ctx, state)
	if err != nil {
		return err
	}
	t := &tour{Dev: d, state: state, api: api}
	d.say("Fanfare runs at %s (%s).", d.Config.PublicURL, d.modelName())
	d.say("Its mail goes to a mailbox on this machine, and to nobody: %s\n", d.mailbox.url)
	for _, stop := range []struct {
		doing string
		visit func(context.Context) error
	}{
		{"making content of the brief", func(ctx context.Context) error { return t.generate(ctx, brief) }},
		{"launching the e-mail", t.launch},
		{"scheduling the campaign", t.schedule},
		{"analyzing made-up metrics", t.analyze},
	} {
		if err := stop.visit(ctx); err != nil {
			return fmt.Errorf("%s: %w", stop.doing, err)
		}
	}
	return nil
}

// generate makes content of the brief. Where that wanted no e-mail, it asks for
// one too: the rest of the trip sends it.
func (t *tour) generate(ctx context.Context, brief string) error {
	t.say("The brief:\n  %s\n", brief)
	if err := t.submit(ctx, map[string]any{"prompt": brief}); err != nil || t.campaign.Content.Email != nil {
		return err
	}
	t.say("\nThe brief asks for no e-mail. Here is one all the same, as a campaign of its own, for the mailbox:")
	return t.submit(ctx, map[string]any{"prompt": brief, "channels": []fanfare.Channel{fanfare.Email}})
}

func (t *tour) submit(ctx context.Context, brief map[string]any) error {
	var result struct{ Campaign demoCampaign }
	job, err := t.run(ctx, "/api/campaign", brief, &result)
	if err != nil {
		return err
	}
	t.campaign = result.Campaign
	t.say("\nThe goal that the model read: %s\n\n%s\n", t.campaign.Goal, t.campaign.Content)
	t.sayUsage(job)
	return nil
}

func (t *tour) sayUsage(job demoJob) {
	t.say("Tokens: %d in, %d out; model: %s.", job.Usage.InputTokens, job.Usage.OutputTokens, job.Usage.Model)
}

func (d *Dev) whereToGoOn(state *devState) {
	d.say(`
It goes on serving; stop it with Ctrl-C. Try next:
  the API's documentation   %[1]s/api/docs
  the mailbox               %[5]s
  another brief             curl -s %[1]s/api/campaign -H 'Authorization: Bearer %[2]s' -H 'Content-Type: application/json' -H 'Prefer: wait=25' -d '%[3]s'
  how the service is        curl -s %[1]s/api/health
  the mailbox for others    POST /api/integrations, signed in as somebody else: %[6]s
Data and secrets are kept in %[4]s.`, d.Config.PublicURL, state.DemoKey, encoded(map[string]string{"prompt": "A new brief"}), d.Dir,
		d.mailbox.url, encoded(d.integration()))
}

func encoded(body any) string {
	text, _ := json.Marshal(body) // of strings only, which always encodes
	return string(text)
}
