package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"fanfare"
)

// OpenLimited is Open with another limit for each statement, so that a test of
// what happens at the limit need not wait for long.
func OpenLimited(ctx context.Context, databaseURL string, limit time.Duration) (*Store, error) {
	db, err := connect(databaseURL, 10, limit, limit)
	if err != nil {
		return nil, err
	}
	s := &Store{db: sqlx.NewDb(db, "postgres"), health: db}
	return s, s.hot.prepare(ctx, s.db)
}

// AuditsQuery is how audit records are listed.
func AuditsQuery(userID string, filter fanfare.AuditFilter, page fanfare.Page) (string, []any) {
	return auditsQuery(userID, filter, page)
}

// OpenNoticed is Open on few connections; what the server says beside its
// answers goes to hear.
func OpenNoticed(ctx context.Context, databaseURL string, hear func(*pq.Error)) (*Store, error) {
	connector, err := newConnector(databaseURL, time.Minute, time.Minute)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(pq.ConnectorWithNoticeHandler(connector, hear))
	db.SetMaxOpenConns(2) // one for health
	s := &Store{db: sqlx.NewDb(db, "postgres"), health: db}
	return s, s.hot.prepare(ctx, s.db)
}
