package app

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/redis/go-redis/v9"

	"fanfare/config"
	"fanfare/doctor"
	"fanfare/store"
)

// checkLimit is for one look at a server that hangs.
const checkLimit = 5 * time.Second

// Doctor looks at everything that a process needs, with settings that may not
// be usable.
type Doctor struct {
	Process                   // its settings as far as they could be read
	Problems []config.Problem // what is wrong with them
	SkipAI   bool             // a call of the model costs some hundred tokens
	Now      func() time.Time // our clock
}

// Examine shows what it finds, in lines or as JSON, and fails if there is a
// problem.
func (d Doctor) Examine(ctx context.Context, out io.Writer, asJSON, color bool) error {
	d.Log = io.Discard // what goes wrong is what it shows
	redis.SetLogger(silent{})
	var findings []doctor.Finding
	show := doctor.Lines(out, color)
	if asJSON {
		show = func(f doctor.Finding) { findings = append(findings, f) }
	}
	problems := doctor.Run(ctx, []doctor.Group{d.settings(), d.database(), d.redis(), d.model()}, show)
	if asJSON {
		if err := doctor.JSON(out, findings); err != nil {
			return fmt.Errorf("writing the findings: %w", err)
		}
	}
	if problems > 0 {
		return fmt.Errorf("problems: %d; what to do stands beside each", problems)
	}
	return nil
}

// usable reports whether a setting is there and nothing is wrong with it.
func (d Doctor) usable(name, value string) bool {
	for _, p := range d.Problems {
		if p.Name == name {
			return false
		}
	}
	return value != ""
}

// unusable is the group of what can't be looked at for want of a setting.
func unusable(name, setting string) doctor.Group {
	return doctor.Group{{Name: name, Limit: checkLimit, Look: func(context.Context) []doctor.Finding {
		return one(doctor.Skip("not looked at, because " + setting + " can't be used"))
	}}}
}

func one(f doctor.Finding) []doctor.Finding { return []doctor.Finding{f} }

// clock compares a server's clock, asked between two looks at ours.
func clock(before, server, after time.Time) doctor.Finding {
	const slack = 2 * time.Second
	skew := time.Duration(0)
	switch {
	case server.Before(before):
		skew = before.Sub(server)
	case server.After(after):
		skew = server.Sub(after)
	}
	if skew > slack {
		return doctor.Warn(fmt.Sprintf("the server's clock and this machine's differ by %s", skew.Round(100*time.Millisecond)),
			"Let both follow the same time servers, with chrony or systemd-timesyncd.")
	}
	return doctor.Fine("no more than %s apart", (skew + after.Sub(before)).Round(time.Millisecond))
}

// withDatabase opens the whole store, which takes a schema that is up to date.
func (d Doctor) withDatabase(ctx context.Context, look func(*store.Store) doctor.Finding) []doctor.Finding {
	var found doctor.Finding
	err := d.withStore(ctx, func(db *store.Store) error {
		found = look(db)
		return nil
	})
	if err != nil {
		found = broken(err)
	}
	return one(found)
}

// broken is what a look ended with that should have worked.
func broken(err error) doctor.Finding {
	return doctor.Bad("this could not be looked at: "+inner(err), "See the server's log for the reason.")
}
