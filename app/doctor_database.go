package app

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"fanfare/doctor"
	"fanfare/migrations"
	"fanfare/secrets"
	"fanfare/store"
)

const (
	leastPostgres = 15
	// wantedConns is what one API, one worker and one scheduler may open, each
	// with two beside its pool for health.
	wantedConns = 3 * (maxConns + 2)
	// oldIDs is half of what PostgreSQL can tell apart; it vacuums by force at a
	// tenth, and stops at all but three million (its documentation, 24.1.5).
	oldIDs = 1 << 30
	// longHeld is beyond any transaction of ours.
	longHeld = 30 * time.Second
	// late is far beyond what a scheduler that runs leaves waiting.
	late = time.Minute
	// workerSilence is as long as health gives a worker.
	workerSilence = 10 * time.Second
)

func (d Doctor) database() doctor.Group {
	if !d.usable("DATABASE_URL", d.Config.DatabaseURL) {
		return unusable("database", "DATABASE_URL")
	}
	var server store.Server
	var before, after time.Time
	check := func(name string, look func(context.Context) []doctor.Finding) doctor.Check {
		return doctor.Check{Name: name, Limit: checkLimit, Look: look}
	}
	ofStore := func(name string, look func(context.Context, *store.Store) doctor.Finding) doctor.Check {
		return check(name, func(ctx context.Context) []doctor.Finding {
			return d.withDatabase(ctx, func(db *store.Store) doctor.Finding { return look(ctx, db) })
		})
	}
	reach := check("database", func(ctx context.Context) []doctor.Finding {
		return d.withPool(func(db *sql.DB) (f doctor.Finding) {
			before = d.Now()
			server, f = askServer(ctx, db)
			after = d.Now()
			return f
		})
	})
	schema := check("migrations", func(ctx context.Context) []doctor.Finding {
		return d.withPool(func(db *sql.DB) doctor.Finding { return migrated(ctx, db) })
	})
	reach.Gate, schema.Gate = true, true
	return doctor.Group{
		reach,
		check("database clock", func(context.Context) []doctor.Finding { return one(clock(before, server.Now, after)) }),
		check("database settings", func(context.Context) []doctor.Finding { return serverSettings(server) }),
		check("transactions", func(context.Context) []doctor.Finding { return transactions(server) }),
		schema,
		ofStore("jobs", jobsWaiting),
		ofStore("failures", failures),
		ofStore("worker", workerAlive),
		ofStore("scheduler", schedulerAlive),
		ofStore("encryption keys", d.keysInUse),
	}
}

func (d Doctor) withPool(look func(*sql.DB) doctor.Finding) []doctor.Finding {
	db, err := store.Connect(d.Config.DatabaseURL, 1)
	if err != nil {
		return one(doctor.Bad("DATABASE_URL can't be used", "Write it as postgres://user:password@host:5432/database."))
	}
	defer func() { _ = db.Close() }()
	return one(look(db))
}

func askServer(ctx context.Context, db *sql.DB) (store.Server, doctor.Finding) {
	server, err := store.AskServer(ctx, db)
	switch {
	case err != nil:
		return server, doctor.Bad("PostgreSQL does not answer: "+inner(err),
			"Check that it runs and that DATABASE_URL has its host, database, user and password.")
	case server.Version/10000 < leastPostgres:
		return server, doctor.Bad("PostgreSQL is "+server.VersionName, fmt.Sprintf("Upgrade it to %d or later.", leastPostgres))
	case server.Standby:
		return server, doctor.Bad("PostgreSQL is a standby, which can't be written to", "Let DATABASE_URL name the primary.")
	default:
		return server, doctor.Fine("PostgreSQL %s answers", server.VersionName)
	}
}

func migrated(ctx context.Context, db *sql.DB) doctor.Finding {
	pending, err := migrations.Pending(ctx, db)
	if err != nil {
		return broken(err)
	}
	if pending > 0 {
		return doctor.Bad(fmt.Sprintf("%d migrations are not applied", pending), "Run `fanfare migrate up`.")
	}
	home, err := migrations.AtHome(ctx, db)
	switch {
	case err != nil:
		return broken(err)
	case !home:
		return doctor.Bad("the data was restored from another server", "Run `fanfare migrate up`, which adopts it.")
	default:
		return doctor.Fine("all are applied")
	}
}

func serverSettings(s store.Server) (found []doctor.Finding) {
	const lost = "what was accepted can be lost when the machine fails"
	for _, setting := range []struct {
		name string
		off  bool
	}{{"fsync", !s.Fsync}, {"full_page_writes", !s.FullPageWrites}, {"synchronous_commit", s.Synchronous == "off"}} {
		if setting.off {
			found = append(found, doctor.Bad(setting.name+" is off: "+lost, "Set "+setting.name+" = on in postgresql.conf."))
		}
	}
	if s.Connections < wantedConns {
		found = append(found, doctor.Warn(
			fmt.Sprintf("there are %d connections for all, %d of them used; one API, one worker and one scheduler may want %d", s.Connections, s.Used, wantedConns),
			"Raise max_connections in postgresql.conf."))
	}
	if len(found) == 0 {
		found = one(doctor.Fine("what is committed is on disk; %d of %d connections are used", s.Used, s.Connections))
	}
	return found
}

func transactions(s store.Server) (found []doctor.Finding) {
	if s.IDAge > oldIDs {
		found = append(found, doctor.Bad(fmt.Sprintf("%d transactions since the last freeze: PostgreSQL stops writing at 2,147 million", s.IDAge),
			"Look for what holds back vacuum (old transactions, replication slots), and run VACUUM FREEZE."))
	}
	if s.Held > longHeld {
		found = append(found, doctor.Warn(fmt.Sprintf("a transaction has been open for %s: meanwhile streams of users show nothing new, and no audit record is sealed", s.Held.Round(time.Second)),
			"Find it in pg_stat_activity or pg_prepared_xacts, and end it."))
	}
	if len(found) == 0 {
		found = one(doctor.Fine("none is open for long; %d million since the last freeze", s.IDAge/1e6))
	}
	return found
}

func jobsWaiting(ctx context.Context, db *store.Store) doctor.Finding {
	d, err := db.Diagnose(ctx)
	switch {
	case err != nil:
		return broken(err)
	case d.WaitingFor > late:
		return doctor.Warn(fmt.Sprintf("%d jobs wait to be run, the oldest for %s", d.Waiting, d.WaitingFor.Round(time.Second)),
			"See whether a worker runs; if so, start more of them or raise WORKER_CONCURRENCY.")
	default:
		return doctor.Fine("%d wait to be run", d.Waiting)
	}
}

func failures(ctx context.Context, db *store.Store) doctor.Finding {
	failed, err := db.Failures(ctx, time.Hour)
	if err != nil {
		return broken(err)
	}
	if len(failed) == 0 {
		return doctor.Fine("no job failed in the last hour")
	}
	var counts []string
	for _, code := range sortedKeys(failed) {
		counts = append(counts, fmt.Sprintf("%d by %s", failed[code], code))
	}
	return doctor.Warn("jobs failed in the last hour: "+strings.Join(counts, ", "), "See `fanfare jobs list` and the worker's log.")
}

func workerAlive(ctx context.Context, db *store.Store) doctor.Finding {
	up, err := db.WorkersUp(ctx, workerSilence)
	switch {
	case err != nil:
		return broken(err)
	case !up:
		return doctor.Warn("no worker was heard of in the last "+workerSilence.String(), "Start one with `fanfare worker`: jobs are accepted, and nobody runs them.")
	default:
		return doctor.Fine("at least one is at work")
	}
}

// schedulerAlive tells a scheduler by what it leaves behind: it writes nothing
// of itself.
func schedulerAlive(ctx context.Context, db *store.Store) doctor.Finding {
	d, err := db.Diagnose(ctx)
	if err != nil {
		return broken(err)
	}
	var waits []string
	for _, w := range []struct {
		waits bool
		what  string
	}{
		{d.Uncarried > late, fmt.Sprintf("a job was to be looked at %s ago", d.Uncarried.Round(time.Second))},
		{d.Lost > 0, fmt.Sprintf("%d jobs have lost their worker", d.Lost)},
		{d.Overdue > 0, fmt.Sprintf("%d schedules are overdue", d.Overdue)},
		{d.Unsealed > late, fmt.Sprintf("an audit record has waited for its seal for %s", d.Unsealed.Round(time.Second))},
	} {
		if w.waits {
			waits = append(waits, w.what)
		}
	}
	if len(waits) > 0 {
		return doctor.Warn(strings.Join(waits, "; "), "Start a scheduler with `fanfare scheduler`, or see in its log what holds it up.")
	}
	return doctor.Fine("nothing waits for one")
}

func (d Doctor) keysInUse(ctx context.Context, db *store.Store) doctor.Finding {
	if !d.usable("ENCRYPTION_KEY", d.Config.EncryptionKey) || !d.usable("ENCRYPTION_KEYS_OLD", "set") {
		return doctor.Skip("not looked at, because ENCRYPTION_KEY or ENCRYPTION_KEYS_OLD can't be used")
	}
	keyring, err := secrets.NewKeyring(d.Config.EncryptionKey, d.Config.EncryptionKeysOld)
	if err != nil {
		return broken(err)
	}
	used, err := db.KeysInUse(ctx)
	if err != nil {
		return broken(err)
	}
	var earlier int
	for _, id := range used {
		if !keyring.Knows(id) {
			return doctor.Bad("credentials are under key "+id+", which is not among the settings", "Put that key into ENCRYPTION_KEYS_OLD, or have the users connect anew.")
		}
		if id != keyring.Current() {
			earlier++
		}
	}
	if earlier > 0 {
		return doctor.Warn(fmt.Sprintf("credentials are under %d earlier keys", earlier), "Run `fanfare keys rotate`.")
	}
	return doctor.Fine("no credentials are under another key than ENCRYPTION_KEY")
}
