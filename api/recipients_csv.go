package api

import (
	"bufio"
	"encoding/csv"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"fanfare"
)

const (
	// No line with an address in it is longer. A line is a row: no address has
	// a line break, and a quote that is never closed can't swallow the file.
	rowMax        = 1024
	invalidMax    = 1000
	fileBufferMax = 64 << 10
)

// InvalidLine is a line of a file that was left out.
type InvalidLine struct {
	Line   int    `json:"line" doc:"Counted from 1, the header and empty lines too"`
	Reason string `json:"reason"`
}

// recipientFile reads recipients from CSV (RFC 4180), and keeps of it only what
// is wrong, up to invalidMax lines.
type recipientFile struct {
	in           *bufio.Reader
	line         int
	begun        bool // a row has been met
	invalid      []InvalidLine
	invalidTotal int
}

func newRecipientFile(in io.Reader) *recipientFile {
	return &recipientFile{in: bufio.NewReaderSize(in, fileBufferMax), invalid: []InvalidLine{}}
}

// batch returns the next valid recipients, at most n; io.EOF after the last,
// and with it.
func (f *recipientFile) batch(n int) ([]fanfare.Recipient, error) {
	recipients := make([]fanfare.Recipient, 0, n)
	for len(recipients) < n {
		line, err := f.read()
		if err != nil {
			return recipients, err
		}
		if recipient, ok := f.parse(line); ok {
			recipients = append(recipients, recipient)
		}
	}
	return recipients, nil
}

// read returns the next line without its end; what is longer than a buffer is
// cut to that.
func (f *recipientFile) read() (string, error) {
	raw, err := f.in.ReadSlice('\n')
	line := string(raw[:min(len(raw), rowMax+1)]) // the buffer is used again
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = f.in.ReadSlice('\n')
	}
	if err != nil && (!errors.Is(err, io.EOF) || line == "") {
		return "", err
	}
	f.line++
	if f.line == 1 {
		line = strings.TrimPrefix(line, "\ufeff")
	}
	return strings.TrimRight(line, "\r\n"), nil
}

// parse passes over what is empty, as spreadsheets leave it, and the header.
func (f *recipientFile) parse(line string) (recipient fanfare.Recipient, ok bool) {
	if strings.Trim(line, " \t,") == "" {
		return recipient, false
	}
	first := !f.begun
	f.begun = true
	channel, address, reason := row(line)
	if first && strings.EqualFold(channel, "channel") && strings.EqualFold(address, "address") {
		return recipient, false
	}
	if reason == "" {
		recipient, reason = parseRow(strings.ToLower(channel), address)
	}
	if reason == "" {
		return recipient, true
	}
	f.invalidTotal++
	if len(f.invalid) < invalidMax {
		f.invalid = append(f.invalid, InvalidLine{Line: f.line, Reason: reason})
	}
	return recipient, false
}

func parseRow(channel, address string) (recipient fanfare.Recipient, reason string) {
	if !fanfare.HasRecipients(fanfare.Channel(channel)) {
		return recipient, "the channel must be email or sms"
	}
	address, err := fanfare.ParseRecipient(channel, address)
	if err != nil {
		return recipient, "the address " + err.Error()
	}
	return fanfare.Recipient{Channel: fanfare.Channel(channel), Address: address}, ""
}

// row takes a line apart. Empty columns at its end are left there by
// spreadsheets too.
func row(line string) (channel, address, reason string) {
	if len(line) > rowMax {
		return "", "", "the line is too long"
	}
	if !utf8.ValidString(line) {
		return "", "", "the line must be text in UTF-8"
	}
	columns, err := split(line)
	if err != nil {
		return "", "", "the line has quotes that do not belong together"
	}
	for len(columns) > 2 && columns[len(columns)-1] == "" {
		columns = columns[:len(columns)-1]
	}
	if len(columns) != 2 {
		return "", "", "the line must have two columns, channel and address, with a comma between them"
	}
	return strings.TrimSpace(columns[0]), strings.TrimSpace(columns[1]), ""
}

func split(line string) ([]string, error) {
	if !strings.Contains(line, `"`) {
		return strings.Split(line, ","), nil
	}
	reader := csv.NewReader(strings.NewReader(line))
	reader.TrimLeadingSpace = true
	return reader.Read()
}
