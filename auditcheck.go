package fanfare

import (
	"fmt"
	"time"
)

// AuditPatience is how long a record may wait for its seal, or be behind the
// time of one that was sealed before it.
const AuditPatience = time.Minute

// AuditCheck walks the chain link by link and tells what is wrong with it. Give
// it Previous, what the first link stands behind, and each link in order with
// the record that it seals.
type AuditCheck struct {
	Previous AuditLink
	// DroppedUntil is the end of the last month that was dropped; zero if none
	// was. The few links of its records that stand behind a later one are there
	// still, and need no record any more.
	DroppedUntil time.Time

	Records     int64     // sealed and sound, with their record
	First, Last time.Time // of those
	newest      time.Time // of all links so far
	broken      *AuditBreak
}

// AuditBreak is a range of the chain that does not hold.
type AuditBreak struct {
	From, To int64  // sequences
	Reason   string // what is wrong with the first, a sentence without its end
}

func (b AuditBreak) String() string {
	if b.From == b.To {
		return fmt.Sprintf("%s (number %d of the chain).", b.Reason, b.From)
	}
	return fmt.Sprintf("%s (numbers %d to %d of the chain).", b.Reason, b.From, b.To)
}

// Add checks the next link; entry is nil where there is no such record. It
// returns false once the first broken range has come to its end.
func (c *AuditCheck) Add(link AuditLink, entry *AuditEntry) bool {
	if link.Sequence != c.Previous.Sequence+1 {
		c.found(c.Previous.Sequence+1, link.Sequence-1, "The seals before that of the "+link.record()+" are missing")
		return false
	}
	reason := c.reason(link, entry)
	switch {
	case reason != "":
		c.found(link.Sequence, link.Sequence, reason)
	case c.broken != nil:
		return false
	default:
		c.count(entry)
	}
	c.Previous = link
	if link.CreatedAt.After(c.newest) {
		c.newest = link.CreatedAt
	}
	return true
}

// dropped reports whether a link's record went with its month. Dropping a month
// takes all links before the first one of a later record, so only those that
// are out of order can be left.
func (c *AuditCheck) dropped(link AuditLink) bool {
	return link.CreatedAt.Before(c.DroppedUntil) && !link.CreatedAt.Before(c.DroppedUntil.Add(-AuditPatience)) &&
		!c.newest.Before(c.DroppedUntil)
}

func (c *AuditCheck) found(from, to int64, reason string) {
	if c.broken == nil {
		c.broken = &AuditBreak{From: from, Reason: reason}
	}
	c.broken.To = to
}

// End checks that the chain ends at its head.
func (c *AuditCheck) End(head AuditLink) {
	last := c.Previous
	switch {
	case c.broken != nil:
	case last.Sequence < head.Sequence:
		c.found(last.Sequence+1, head.Sequence, "The seals at the end of the chain are missing")
	case last.Sequence > head.Sequence:
		c.found(head.Sequence+1, last.Sequence, "The chain goes on behind its head")
	case last.Hash != head.Hash:
		c.found(head.Sequence, head.Sequence, "The head of the chain is not the hash of its last seal")
	}
}

// Broken returns the first broken range, nil if there is none.
func (c *AuditCheck) Broken() *AuditBreak { return c.broken }

func (c *AuditCheck) count(entry *AuditEntry) {
	if entry == nil {
		return
	}
	c.Records++
	if c.First.IsZero() || entry.CreatedAt.Before(c.First) {
		c.First = entry.CreatedAt
	}
	if entry.CreatedAt.After(c.Last) {
		c.Last = entry.CreatedAt
	}
}

// reason says what is wrong with a link; "" for nothing.
func (c *AuditCheck) reason(link AuditLink, entry *AuditEntry) string {
	switch {
	case link.hash(c.Previous.Hash) != link.Hash:
		return "The seal of the " + link.record() + ", or the one before it, was changed"
	case entry == nil && !c.dropped(link):
		return "The " + link.record() + " is missing: it was deleted, or its id or time was changed"
	case entry != nil && entry.Digest() != link.Digest:
		return "The " + link.record() + " was changed after it was sealed"
	case link.CreatedAt.Before(c.Previous.CreatedAt.Add(-AuditPatience)):
		return fmt.Sprintf("The %s was inserted with an earlier time: it was sealed after one of %s (or the server's clock was set back)",
			link.record(), AuditTime(c.Previous.CreatedAt))
	}
	return ""
}

func (l AuditLink) record() string { return "record " + l.RecordID + " of " + AuditTime(l.CreatedAt) }

// AuditTime is a record's time as operators read it, with all its digits.
func AuditTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

// AuditReport is what a look at the whole audit trail has found.
type AuditReport struct {
	Records     int64 // sealed and sound
	First, Last time.Time
	Dropped     int       // months that had their time
	LastDropped time.Time // the first instant of the last of them
	Waiting     int64     // records of the last minute, not sealed yet
	Head        AuditLink
	// Problems are sentences, the first broken range first; none if all is well.
	Problems []string
}
