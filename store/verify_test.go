package store_test

import (
	"fmt"
	"strings"
	"testing"

	"fanfare/internal/teststore"
)

// trail is an audit trail of five sealed records, one each transaction.
func trail(t *testing.T) (db *teststore.DB, ids []string) {
	t.Helper()
	db = teststore.New(t)
	for n := range 5 {
		audit(t, t.Context(), db, fmt.Sprint(n))
	}
	seal(t, db)
	return db, db.Query(`SELECT audit_id FROM audit_chain ORDER BY sequence`)
}

// forgedMonth makes the seal of a dropped month.
func forgedMonth(month, last, hash string) string {
	return fmt.Sprintf(`INSERT INTO audit_dropped_months (month, records, first_sequence, last_sequence, previous_hash, last_hash)
		VALUES (%s, 0, 1, %s, decode(repeat('00', 32), 'hex'), %s)`, month, last, hash)
}

// TestWhatWasDoneToTheTrailIsNamed: $1 to $5 are the records' ids, and want is
// part of the first problem.
func TestWhatWasDoneToTheTrailIsNamed(t *testing.T) {
	const (
		changed  = "The record $3 of"
		missing  = "is missing"
		inserted = "INSERT INTO audit_logs (id, action, created_at%s) VALUES ('$9', 'forged', %s)"
		forged   = "The record $9 of"
	)
	db, ids := trail(t)
	words := []string{"$9", "01a20000-0000-7000-8000-000000000000"}
	for i, id := range ids {
		words = append(words, fmt.Sprintf("$%d", i+1), id)
	}
	named := strings.NewReplacer(words...)
	for name, test := range map[string]struct {
		do   string
		want []string
	}{
		"user":             {`UPDATE audit_logs SET user_id = uuidv7() WHERE id = '$3'`, []string{changed, "was changed", "(number 3 of"}},
		"nobody":           {`UPDATE audit_logs SET user_id = NULL WHERE id = '$3'`, []string{changed, "was changed"}},
		"action":           {`UPDATE audit_logs SET action = 'other' WHERE id = '$3'`, []string{changed, "was changed"}},
		"resource":         {`UPDATE audit_logs SET resource = 'x' WHERE id = '$3'`, []string{changed, "was changed"}},
		"empty resource":   {`UPDATE audit_logs SET resource = '' WHERE id = '$3'`, []string{changed, "was changed"}},
		"metadata":         {`UPDATE audit_logs SET metadata = '{"n": 1.6, "to": ["<a>", "é"]}' WHERE id = '$3'`, []string{changed, "was changed"}},
		"address":          {`UPDATE audit_logs SET ip_address = NULL WHERE id = '$3'`, []string{changed, "was changed"}},
		"agent":            {`UPDATE audit_logs SET user_agent = 'x' WHERE id = '$3'`, []string{changed, "was changed"}},
		"status":           {`UPDATE audit_logs SET status = 'failure' WHERE id = '$3'`, []string{changed, "was changed"}},
		"id":               {`UPDATE audit_logs SET id = uuidv7() WHERE id = '$3'`, []string{changed, missing}},
		"time":             {`UPDATE audit_logs SET created_at = created_at + interval '1 microsecond' WHERE id = '$3'`, []string{changed, missing}},
		"month":            {`UPDATE audit_logs SET created_at = created_at - interval '400 days' WHERE id = '$3'`, []string{changed, missing}},
		"two in a row":     {`UPDATE audit_logs SET resource = 'x' WHERE id IN ('$3', '$4')`, []string{changed, "(numbers 3 to 4 of"}},
		"two apart":        {`UPDATE audit_logs SET resource = 'x' WHERE id IN ('$3', '$5')`, []string{changed, "(number 3 of"}},
		"swapped contents": {`UPDATE audit_logs SET resource = CASE resource WHEN '2' THEN '3' ELSE '2' END WHERE id IN ('$3', '$4')`, []string{changed, "(numbers 3 to 4 of"}},

		"first deleted":  {`DELETE FROM audit_logs WHERE id = '$1'`, []string{"$1", missing, "(number 1 of"}},
		"one deleted":    {`DELETE FROM audit_logs WHERE id = '$3'`, []string{"$3", missing, "(number 3 of"}},
		"last deleted":   {`DELETE FROM audit_logs WHERE id = '$5'`, []string{"$5", missing, "(number 5 of"}},
		"all deleted":    {`TRUNCATE audit_logs`, []string{"$1", missing, "(numbers 1 to 5 of"}},
		"all is deleted": {`TRUNCATE audit_logs, audit_chain`, []string{"The seals at the end of the chain are missing (numbers 1 to 5"}},

		"back-dated":       {fmt.Sprintf(inserted, "", "now() - interval '61 seconds'"), []string{forged, "waits for its seal for more than a minute"}},
		"long ago":         {fmt.Sprintf(inserted, "", "'2001-01-01'"), []string{forged, "waits for its seal"}},
		"in the future":    {fmt.Sprintf(inserted, "", "now() + interval '1 day'"), []string{forged, "waits for its seal"}},
		"forged position":  {fmt.Sprintf(inserted, ", position", "now(), '3'"), []string{forged, "where all records had been sealed already"}},
		"no position":      {fmt.Sprintf(inserted, ", position", "now(), '0'"), []string{forged, "where all records had been sealed already"}},
		"far position":     {fmt.Sprintf(inserted, ", position", "now() - interval '2 minutes', '999999999999'"), []string{forged, "waits"}},
		"two were":         {fmt.Sprintf(inserted, "", "'2001-01-01'") + `; INSERT INTO audit_logs (action, created_at) VALUES ('forged', '2001-01-02')`, []string{"The record $9 of 2001-01-01T00:00:00.000000Z, and 1 more, waits"}},
		"a seal taken off": {`DELETE FROM audit_chain WHERE sequence = 5; UPDATE audit_head SET (sequence, hash) = (SELECT sequence, hash FROM audit_chain WHERE sequence = 4)`, []string{"$5", "where all records had been sealed already"}},

		"first seal":         {`DELETE FROM audit_chain WHERE sequence = 1`, []string{"The seals before that of the record $2 of", "are missing (number 1 of"}},
		"seals":              {`DELETE FROM audit_chain WHERE sequence IN (2, 3)`, []string{"The seals before that of the record $4 of", "(numbers 2 to 3 of"}},
		"last seals":         {`DELETE FROM audit_chain WHERE sequence >= 4`, []string{"at the end of the chain are missing (numbers 4 to 5"}},
		"with their records": {`DELETE FROM audit_chain WHERE sequence >= 4; DELETE FROM audit_logs WHERE id IN ('$4', '$5')`, []string{"at the end of the chain are missing (numbers 4 to 5"}},
		"swapped seals":      {`UPDATE audit_chain SET sequence = 7 - sequence + 100 WHERE sequence IN (3, 4); UPDATE audit_chain SET sequence = sequence - 100 WHERE sequence > 100`, []string{"The seal of the record $4", "was changed"}},
		"digest too":         {`UPDATE audit_logs SET resource = 'x' WHERE id = '$3'; UPDATE audit_chain SET digest = sha256('') WHERE sequence = 3`, []string{"The seal of the record $3", "was changed"}},
		"a hash":             {`UPDATE audit_chain SET hash = sha256('') WHERE sequence = 3`, []string{"The seal of the record $3", "was changed", "(numbers 3 to 4 of"}},
		"no hash":            {`UPDATE audit_chain SET hash = '' WHERE sequence = 3`, []string{"The seal of the record $3", "was changed"}},
		"the last hash":      {`UPDATE audit_head SET hash = sha256('')`, []string{"The head of the chain is not the hash of its last seal (number 5 of"}},
		"a head behind":      {`UPDATE audit_head SET sequence = 4`, []string{"The chain goes on behind its head (number 5 of"}},
		"no head":            {`DELETE FROM audit_head`, []string{"The head of the chain is missing."}},
		"dropped by hand": {`DELETE FROM audit_logs; DELETE FROM audit_chain WHERE sequence = 1; INSERT INTO audit_dropped_months
			(month, records, first_sequence, last_sequence, previous_hash, last_hash) VALUES (date_trunc('month', now()), 1, 1, 1, '', '')`,
			[]string{"The seal of the dropped month ", "does not stand behind"}},
		"moved to a dropped month": {`DELETE FROM audit_logs WHERE id = '$3'; INSERT INTO audit_dropped_months
			(month, records, first_sequence, last_sequence, previous_hash, last_hash) VALUES ('2001-01-01', 0, 1, 0, decode(repeat('00', 32), 'hex'), decode(repeat('00', 32), 'hex'));
			UPDATE audit_chain SET created_at = '2001-01-02' WHERE sequence = 3`, []string{"The seal of the dropped month 2001-01 has no audit record"}},
		"a month that still runs": {forgedMonth("date_trunc('month', now())", "0", "decode(repeat('00', 32), 'hex')") + `; DELETE FROM audit_logs WHERE id = '$3'`,
			[]string{"The seal of the dropped month ", "is older than the month's end"}},
		"all dropped by hand": {forgedMonth("date_trunc('month', now()) - interval '1 month'", "5", "(SELECT hash FROM audit_head)") + `; TRUNCATE audit_logs, audit_chain`,
			[]string{"The seal of the dropped month ", "has no audit record of its dropping"}},
		"a seal of its own":     {forgedMonth("'2001-01-01'", "2", "sha256('')"), []string{"The seal of the dropped month 2001-01 is not the one that the chain has there"}},
		"everything taken away": {`TRUNCATE audit_logs, audit_chain; UPDATE audit_head SET sequence = 0, hash = DEFAULT`, []string{"it was set back"}},
	} {
		t.Run(name, func(t *testing.T) {
			report, err := db.VerifyAfter(t.Context(), named.Replace(test.do))
			if err != nil || len(report.Problems) == 0 {
				t.Fatalf("nothing was noticed: %+v, %v", report, err)
			}
			for _, want := range test.want {
				if want = named.Replace(want); !strings.Contains(report.Problems[0], want) {
					t.Errorf("%q, want %q in it", report.Problems[0], want)
				}
			}
		})
	}
}

// TestABackDatedRecordIsNamedOnceItIsSealed: the sealer seals what comes, and
// the chain shows what it came after.
func TestABackDatedRecordIsNamedOnceItIsSealed(t *testing.T) {
	db, _ := trail(t)
	db.Exec(`INSERT INTO audit_logs (id, action, created_at) VALUES ('01a20000-0000-7000-8000-000000000000', 'forged', now() - interval '10 minutes')`)
	audit(t, t.Context(), db, "after")
	seal(t, db)
	report, err := db.VerifyAudit(t.Context(), nil)
	if err != nil || len(report.Problems) != 1 || !strings.Contains(report.Problems[0], "01a20000-0000-7000-8000-000000000000") ||
		!strings.Contains(report.Problems[0], "was inserted with an earlier time") {
		t.Errorf("%q, %v", report.Problems, err)
	}
}

// TestANotedHeadMustBeInTheChain: whoever made the chain anew could not keep it.
func TestANotedHeadMustBeInTheChain(t *testing.T) {
	db, _ := trail(t)
	noted, err := db.AuditHead(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	audit(t, t.Context(), db, "more")
	seal(t, db)
	verify := func() []string {
		t.Helper()
		report, err := db.VerifyAudit(t.Context(), &noted.Hash)
		if err != nil {
			t.Fatal(err)
		}
		return report.Problems
	}
	if problems := verify(); len(problems) > 0 {
		t.Errorf("%q", problems)
	}
	db.Exec(`TRUNCATE audit_chain`)
	db.Exec(`UPDATE audit_logs SET user_agent = 'another' WHERE resource = '0'`)
	db.Exec(`DELETE FROM audit_head`)
	db.Exec(`INSERT INTO audit_head DEFAULT VALUES`)
	seal(t, db)
	sound(t, db) // without what was noted nobody could tell
	if problems := verify(); len(problems) != 1 || !strings.Contains(problems[0], noted.Hash.String()+" is not in the chain") {
		t.Errorf("%q", problems)
	}
}

// TestALongTrailIsWalkedInParts, with a break far behind.
func TestALongTrailIsWalkedInParts(t *testing.T) {
	db := teststore.New(t)
	db.Exec(`INSERT INTO audit_logs (action, resource) SELECT 'test', n::text FROM generate_series(1, 5001) n`)
	for more := true; more; {
		var err error
		if _, more, err = db.SealAudit(t.Context(), 1000); err != nil {
			t.Fatal(err)
		}
	}
	seal(t, db)
	if report := sound(t, db); report.Records != 5001 || report.Waiting != 0 {
		t.Errorf("%+v", report)
	}
	db.Exec(`UPDATE audit_logs SET resource = 'x' WHERE id = (SELECT audit_id FROM audit_chain WHERE sequence = 4990)`)
	report, err := db.VerifyAudit(t.Context(), nil)
	if err != nil || len(report.Problems) != 1 || !strings.Contains(report.Problems[0], "(number 4990 of") {
		t.Errorf("%q, %v", report.Problems, err)
	}
}

// TestYoungRecordsMayWait: a minute.
func TestYoungRecordsMayWait(t *testing.T) {
	db, _ := trail(t)
	audit(t, t.Context(), db, "young")
	if report := sound(t, db); report.Waiting != 1 || report.Records != 5 {
		t.Errorf("%+v", report)
	}
}
