// Package store keeps everything in PostgreSQL: jobs and their events,
// campaigns, users, audit records. A transaction is opened outside (Atomic)
// and found by the methods inside through the context.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/gofrs/uuid/v5"
	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"fanfare"
)

// Limits of one statement: the server gives up first, so that the reason is
// known; the connection's deadline is for a server that does not answer at all.
const (
	statementTimeout = 8 * time.Second
	connectionLimit  = 10 * time.Second
	healthLimit      = 700 * time.Millisecond
)

// Store is a handle to the database. It may be used by any number of
// goroutines.
type Store struct {
	db     *sqlx.DB
	health *sql.DB // connections with a short limit of their own
	hot    hotStatements

	// Settled, unless nil, hears of deliveries that have got a status which is
	// not pending or sending. It is set before the first use.
	Settled func(counts []fanfare.DeliveryCount)
}

// Open connects to a postgres:// URL. It prepares the statements that every
// job needs, so a database without the schema is found out at once.
func Open(ctx context.Context, databaseURL string, maxConns int) (*Store, error) {
	db, err := Connect(databaseURL, maxConns)
	if err != nil {
		return nil, err
	}
	health, err := connect(databaseURL, 2, healthLimit, healthLimit)
	if err != nil {
		return nil, err
	}
	s := &Store{db: sqlx.NewDb(db, "postgres"), health: health}
	if err := s.hot.prepare(ctx, s.db); err != nil {
		_ = s.Close()
		if lacksSchema(err) {
			err = fmt.Errorf("the database lacks tables of this version: run `fanfare migrate up` first: %w", err)
		}
		return nil, err
	}
	return s, nil
}

// Connect opens a plain pool for a postgres:// URL, for what needs no Store:
// migrations, for one. Nothing is dialed yet.
func Connect(databaseURL string, maxConns int) (*sql.DB, error) {
	return connect(databaseURL, maxConns, statementTimeout, connectionLimit)
}

// ConnectForMigrations opens a pool without statement limits: a migration may
// take its time.
func ConnectForMigrations(databaseURL string) (*sql.DB, error) {
	return connect(databaseURL, 2, 0, time.Hour)
}

func connect(databaseURL string, maxConns int, statement, limit time.Duration) (*sql.DB, error) {
	connector, err := newConnector(databaseURL, statement, limit)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(maxConns)
	db.SetMaxIdleConns(maxConns)
	db.SetConnMaxIdleTime(5 * time.Minute)
	return db, nil
}

func newConnector(databaseURL string, statement, limit time.Duration) (*pq.Connector, error) {
	dsn, err := dsn(databaseURL, statement, limit)
	if err != nil {
		return nil, err
	}
	connector, err := pq.NewConnector(dsn)
	if err != nil {
		return nil, fmt.Errorf("reading DATABASE_URL: it is not a connection URL that lib/pq takes")
	}
	connector.Dialer(dialer{limit: limit})
	return connector, nil
}

// dsn adds our limits to a URL. TLS is used where the server offers it unless
// the URL says otherwise; Prisma's schema parameter, which PostgreSQL does not
// know, becomes the search path.
func dsn(databaseURL string, statement, limit time.Duration) (string, error) {
	u, err := url.Parse(databaseURL)
	if err != nil {
		return "", fmt.Errorf("reading DATABASE_URL: it is not a URL") // the cause would quote its password
	}
	q := u.Query()
	if schema := q.Get("schema"); schema != "" {
		q.Del("schema")
		q.Set("search_path", schema)
	}
	if !q.Has("sslmode") {
		q.Set("sslmode", "prefer")
	}
	if !q.Has("connect_timeout") {
		q.Set("connect_timeout", strconv.Itoa(int(max(limit.Seconds(), 1))))
	}
	q.Set("application_name", "fanfare")
	if statement > 0 {
		ms := strconv.FormatInt(statement.Milliseconds(), 10)
		q.Set("statement_timeout", ms)
		q.Set("idle_in_transaction_session_timeout", ms)
	}
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// Close closes every connection.
func (s *Store) Close() error {
	_ = s.health.Close()
	return s.db.Close()
}

// Ping tells within a second whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, healthLimit)
	defer cancel()
	var one int
	err := s.health.QueryRowContext(ctx, `SELECT 1`).Scan(&one)
	return wrap(err, "asking the database for a sign of life")
}

type txKey struct{}

// Atomic runs do in one transaction, which every method of the store called
// with do's context takes part in. It commits if do returns nil; inside
// another Atomic it joins that one.
func (s *Store) Atomic(ctx context.Context, do func(ctx context.Context) error) error {
	if _, inside := ctx.Value(txKey{}).(*sqlx.Tx); inside {
		return do(ctx)
	}
	tx, err := s.db.BeginTxx(ctx, nil)
	if err != nil {
		return wrap(err, "beginning a transaction")
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit
	if err := do(context.WithValue(ctx, txKey{}, tx)); err != nil {
		return err
	}
	return wrap(commit(ctx, tx), "committing")
}

// Attempt runs do inside the transaction that ctx carries, in a way that an
// error undoes what do did and leaves the transaction usable.
func (s *Store) Attempt(ctx context.Context, do func(ctx context.Context) error) error {
	if _, err := s.q(ctx).ExecContext(ctx, `SAVEPOINT attempt`); err != nil {
		return wrap(err, "beginning an attempt")
	}
	if err := do(ctx); err != nil {
		_, undo := s.q(ctx).ExecContext(ctx, `ROLLBACK TO SAVEPOINT attempt`)
		return errors.Join(err, undo)
	}
	_, err := s.q(ctx).ExecContext(ctx, `RELEASE SAVEPOINT attempt`)
	return wrap(err, "ending an attempt")
}

// queryer is what sqlx.DB and sqlx.Tx have in common.
type queryer interface {
	sqlx.ExtContext
	GetContext(ctx context.Context, dest any, query string, args ...any) error
	SelectContext(ctx context.Context, dest any, query string, args ...any) error
}

// q is the transaction that ctx carries, or the pool.
func (s *Store) q(ctx context.Context) queryer {
	var q queryer = s.db
	if tx, ok := ctx.Value(txKey{}).(*sqlx.Tx); ok {
		q = tx
	}
	if fanfare.Traced(ctx) {
		return tracedQueryer{q}
	}
	return q
}

// named is a prepared statement, with its name in errors and traces.
type named struct {
	*sqlx.Stmt
	name string
}

// statement is what is asked of a prepared statement.
type statement interface {
	GetContext(ctx context.Context, dest any, args ...any) error
	SelectContext(ctx context.Context, dest any, args ...any) error
}

// in is a prepared statement inside the transaction that ctx carries, if any.
func in(ctx context.Context, stmt named) statement {
	if tx, ok := ctx.Value(txKey{}).(*sqlx.Tx); ok {
		stmt.Stmt = tx.StmtxContext(ctx, stmt.Stmt)
	}
	if fanfare.Traced(ctx) {
		return tracedStatement{stmt}
	}
	return stmt.Stmt
}

// NewID returns a UUID of version 7 (RFC 9562), the form of all our ids.
func NewID() string { return uuid.Must(uuid.NewV7()).String() }

// before is where a page begins, as arguments of a query.
func before(p fanfare.Page) (createdAt *time.Time, id *string) {
	if p.Before == nil {
		return nil, nil
	}
	return &p.Before.CreatedAt, &p.Before.ID
}

func seconds(d time.Duration) float64 { return d.Seconds() }

func nullable(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
