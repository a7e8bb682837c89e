package store

import (
	"context"
	"database/sql"
	"time"
)

// Server is what can be asked of a PostgreSQL server, with or without our
// schema.
type Server struct {
	Version        int       // as server_version_num: 150004 is 15.4
	VersionName    string    // as people know it
	Now            time.Time // its clock
	Standby        bool      // which can't be written to
	Fsync          bool
	FullPageWrites bool
	Synchronous    string // synchronous_commit
	Connections    int    // that others than superusers may have
	Used           int    // of them
	IDAge          int64  // transactions since this database was frozen; at 2^31 the server stops
	// Held is for how long the oldest open transaction that writes has been
	// open, as far as we may see.
	Held time.Duration
}

// AskServer asks the server behind a pool of Connect's.
func AskServer(ctx context.Context, db *sql.DB) (s Server, err error) {
	var held float64
	err = db.QueryRowContext(ctx, `SELECT
			current_setting('server_version_num')::int, current_setting('server_version'), clock_timestamp(), pg_is_in_recovery(),
			current_setting('fsync')::bool, current_setting('full_page_writes')::bool, current_setting('synchronous_commit'),
			current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int,
			(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
			(SELECT age(datfrozenxid) FROM pg_database WHERE datname = current_database()),
			extract(epoch FROM coalesce(clock_timestamp() - least(
				(SELECT min(xact_start) FROM pg_stat_activity WHERE backend_xid IS NOT NULL),
				(SELECT min(prepared) FROM pg_prepared_xacts)), '0'))`).
		Scan(&s.Version, &s.VersionName, &s.Now, &s.Standby, &s.Fsync, &s.FullPageWrites, &s.Synchronous, &s.Connections, &s.Used, &s.IDAge, &held)
	s.Held = time.Duration(held * float64(time.Second))
	return s, wrap(err, "asking the database about itself")
}
