package store

import (
	"cmp"
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
	reads   = regexp.MustCompile(`\bFROM\s+([a-z_]+)(?:[\s)]|$)`)
)

// summary tells what a statement does and to which table: the first that it
// changes, or else the one that it reads. It holds nothing but words of ours.
func summary(query string) string {
	if found := changes.FindStringSubmatch(query); found != nil {
		operation, _, _ := strings.Cut(found[1], " ")
		return operation + " " + found[2]
	}
	if table := mainTable(query); table != "" {
		return "SELECT " + table
	}
	return strings.Fields(query)[0]
}

// mainTable is the first table that a query reads from outside of parentheses,
// or else inside of them; "" if none.
func mainTable(query string) string {
	first := ""
	for _, at := range reads.FindAllStringSubmatchIndex(query, -1) {
		before, table := query[:at[0]], query[at[2]:at[3]]
		if strings.Count(before, "(") == strings.Count(before, ")") {
			return table
		}
		first = cmp.Or(first, table)
	}
	return first
}
