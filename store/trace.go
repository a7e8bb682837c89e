package store

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"regexp"
	"strings"

	"github.com/jmoiron/sqlx"

	"fanfare"
)

// tracedQueryer measures each statement whose answer is read at once. Only q makes one, under a context that
// is traced: elsewhere statements go straight to the pool.
type tracedQueryer struct{ queryer }

func (t tracedQueryer) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	ctx, end := traceSQL(ctx, summary(query))
	result, err := t.queryer.ExecContext(ctx, query, args...)
	end(err)
	return result, err
}

func (t tracedQueryer) GetContext(ctx context.Context, dest any, query string, args ...any) error {
	ctx, end := traceSQL(ctx, summary(query))
	err := t.queryer.GetContext(ctx, dest, query, args...)
	end(failure(err))
	return err
}

func (t tracedQueryer) SelectContext(ctx context.Context, dest any, query string, args ...any) error {
	ctx, end := traceSQL(ctx, summary(query))
	err := t.queryer.SelectContext(ctx, dest, query, args...)
	end(err)
	return err
}

// tracedStatement is tracedQueryer for a prepared statement.
type tracedStatement struct{ named }

func (t tracedStatement) GetContext(ctx context.Context, dest any, args ...any) error {
	ctx, end := traceSQL(ctx, t.name)
	err := t.named.GetContext(ctx, dest, args...)
	end(failure(err))
	return err
}

func (t tracedStatement) SelectContext(ctx context.Context, dest any, args ...any) error {
	ctx, end := traceSQL(ctx, t.name)
	err := t.named.SelectContext(ctx, dest, args...)
	end(err)
	return err
}

func commit(ctx context.Context, tx *sqlx.Tx) error {
	_, end := traceSQL(ctx, "COMMIT")
	err := tx.Commit()
	end(err)
	return err
}

func traceSQL(ctx context.Context, summary string) (context.Context, fanfare.EndTrace) {
	return fanfare.Trace(ctx, fanfare.OpSQL, summary,
		slog.String("db.system.name", "postgresql"), slog.String("db.query.summary", summary))
}

// failure: that there is no such row is an answer.
func failure(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return err
}

// Keywords are written in capitals and tables are not.
var (
	changes = regexp.MustCompile(`\b(INSERT INTO|UPDATE|DELETE FROM)\s+([a-z_]+)`)
	reads   = regexp.MustCompile(`\bFROM\s+([a-z_]+)(?:\s|$)`)
)

// summary tells what a statement does and to which table: the first that it
// changes, or else the first that it reads. It holds nothing but words of ours.
func summary(query string) string {
	if found := changes.FindStringSubmatch(query); found != nil {
		operation, _, _ := strings.Cut(found[1], " ")
		return operation + " " + found[2]
	}
	if found := reads.FindStringSubmatch(query); found != nil {
		return "SELECT " + found[1]
	}
	first := strings.Fields(query)
	return first[0]
}
